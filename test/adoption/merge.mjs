// node merge.mjs SCHEMA: the Drizzle schema of an application with the lines that `migrate adopt --complete --json` has
// on the standard input, as a person would put them in, and without camel case in the names of columns.
import { readFileSync } from "node:fs"
import prettier from "prettier"

const { drizzle } = JSON.parse(readFileSync(0, "utf8"))
const schema = await prettier.format(readFileSync(process.argv[2], "utf8"), {
  parser: "typescript",
  printWidth: 10000,
})

// entries are the columns or indexes of a block, whose lines are indented so far.
const entries = (text, indent) =>
  text.split(new RegExp(`\\n {${indent}}(?=\\S)`)).filter((entry) => entry.trim())
const keyOf = (entry) => entry.trim().match(/^\w+(?=: )/)?.[0]

const additions = new Map()
const fresh = []
for (const text of drizzle) {
  const existing = text.match(/^\/\/ (\w+):\n/)
  if (existing) additions.set(existing[1], entries("\n" + text.slice(existing[0].length), 4))
  else fresh.push(text)
}
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase())
const merged = schema
  .replace(/^import .*\n/gm, "")
  .replace(/\b(text|boolean|timestamp|integer)\("(\w+)"\)/g, (_, type, name) => `${type}("${snake(name)}")`)
  .replace(
    /export const (\w+) = pgTable\(\s*"(\w+)",\s*\{\n([\s\S]*?)\n( *)\}(?:,\s*\(table\) => \[([\s\S]*?)\])?,?\s*\);/g,
    (_, name, table, body, indent, indexes = "") => {
      const columns = new Map()
      for (const entry of entries("\n" + body, indent.length + 2))
        columns.set(keyOf(entry), entry.trim().replace(/,$/, ""))
      const all = indexes ? [indexes.trim().replace(/,$/, "")] : []
      for (const entry of additions.get(name) ?? []) {
        const text = entry.trim().replace(/,$/, "")
        if (keyOf(entry)) columns.set(keyOf(entry), text)
        else all.push(text)
      }
      additions.delete(name)
      return `export const ${name} = pgTable("${table}", {\n${[...columns.values()].join(",\n")}\n}, (table) => [${all.join(",\n")}]);`
    },
  )
if (additions.size) throw new Error(`no table ${[...additions.keys()]}`)
console.log(`import { relations, sql } from "drizzle-orm"
import { boolean, index, integer, pgTable, text, timestamp, uniqueIndex } from "drizzle-orm/pg-core"
${merged}
${fresh.join("\n")}`)
