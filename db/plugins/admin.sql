-- The columns of Better Auth's admin plugin, as 1.7.25 makes them with Drizzle. They are the application's. No
-- migration makes them.

ALTER TABLE "user"
    ADD COLUMN "role" text,
    ADD COLUMN "banned" boolean DEFAULT false,
    ADD COLUMN "ban_reason" text,
    ADD COLUMN "ban_expires" timestamp;

ALTER TABLE "session" ADD COLUMN "impersonated_by" text;
