// node db.mjs: runs the standard input on the database of DATABASE_URL, a statement at a time.
import { readFileSync } from "node:fs"
import pg from "pg"

const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
for (const sql of readFileSync(0, "utf8").split(";")) await client.query(sql)
await client.end()
