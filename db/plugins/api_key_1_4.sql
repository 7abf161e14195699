-- The table of API keys as Better Auth 1.4.22 makes it with Drizzle; 1.3 makes no index. It is the application's. sqlc
-- knows that of 1.5 and later.

CREATE TABLE "apikey" (
    "id" text PRIMARY KEY NOT NULL,
    "name" text,
    "start" text,
    "prefix" text,
    "key" text NOT NULL,
    "user_id" text NOT NULL REFERENCES "user" ("id") ON DELETE CASCADE,
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
CREATE INDEX "apikey_key_idx" ON "apikey" ("key");
CREATE INDEX "apikey_userId_idx" ON "apikey" ("user_id");
