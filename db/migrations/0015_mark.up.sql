-- A write that must happen once leaves a mark here. The migrator has made the schema; another program that runs this
-- file may not have. IF NOT EXISTS would ask for the right to make schemas even where there is none to make.
DO $$ BEGIN
    IF pg_catalog.to_regnamespace('"authdb"') IS NULL THEN
        CREATE SCHEMA "authdb";
    END IF;
END $$;
CREATE TABLE "authdb"."mark" (
    "id" text PRIMARY KEY NOT NULL,
    "operation" text NOT NULL,
    "answer" text,
    "created_at" timestamp NOT NULL
);
-- For their purge.
CREATE INDEX "mark_createdAt_idx" ON "authdb"."mark" USING btree ("created_at");
