import { defineConfig } from "drizzle-kit"

export default defineConfig({
  dialect: "postgresql",
  schema: process.env.DRIZZLE_SCHEMA ?? "./schema.ts",
  out: process.env.DRIZZLE_OUT,
  dbCredentials: { url: process.env.DATABASE_URL! },
})
