-- The tables of Better Auth's plugins, as 1.7.25 makes them with Drizzle: what sqlc knows of them, and what tests play
-- the application with. They are the application's. No migration makes them.

CREATE TABLE "organization_role" (
    "id" text PRIMARY KEY NOT NULL,
    "organization_id" text NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "role" text NOT NULL,
    "permission" text NOT NULL,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "updated_at" timestamp
);
CREATE INDEX "organizationRole_organizationId_idx" ON "organization_role" ("organization_id");
CREATE INDEX "organizationRole_role_idx" ON "organization_role" ("role");

CREATE TABLE "two_factor" (
    "id" text PRIMARY KEY NOT NULL,
    "secret" text NOT NULL,
    "backup_codes" text NOT NULL,
    "user_id" text NOT NULL REFERENCES "user" ("id") ON DELETE CASCADE,
    "verified" boolean DEFAULT true,
    "failed_verification_count" integer DEFAULT 0,
    "locked_until" timestamp
);
CREATE INDEX "twoFactor_secret_idx" ON "two_factor" ("secret");
CREATE INDEX "twoFactor_userId_idx" ON "two_factor" ("user_id");

CREATE TABLE "apikey" (
    "id" text PRIMARY KEY NOT NULL,
    "config_id" text DEFAULT 'default' NOT NULL,
    "name" text,
    "start" text,
    "reference_id" text NOT NULL,
    "prefix" text,
    "key" text NOT NULL,
    "refill_interval" integer,
    "refill_amount" integer,
    "last_refill_at" timestamp,
    "enabled" boolean DEFAULT true,
    "rate_limit_enabled" boolean DEFAULT true,
    "rate_limit_time_window" integer DEFAULT 86400000,
    "rate_limit_max" integer DEFAULT 10,
    "request_count" integer DEFAULT 0,
    "remaining" integer,
    "last_request" timestamp,
    "expires_at" timestamp,
    "created_at" timestamp NOT NULL,
    "updated_at" timestamp NOT NULL,
    "permissions" text,
    "metadata" text
);
CREATE INDEX "apikey_configId_idx" ON "apikey" ("config_id");
CREATE INDEX "apikey_referenceId_idx" ON "apikey" ("reference_id");
CREATE INDEX "apikey_key_idx" ON "apikey" ("key");

CREATE TABLE "jwks" (
    "id" text PRIMARY KEY NOT NULL,
    "public_key" text NOT NULL,
    "private_key" text NOT NULL,
    "created_at" timestamp NOT NULL,
    "expires_at" timestamp,
    "alg" text,
    "crv" text
);
