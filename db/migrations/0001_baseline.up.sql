-- The nine tables as drizzle-kit 0.31 makes them from the ZeroStarter schema (Better Auth with the organization
-- plugin and teams): same names, types, defaults, constraints and indexes, so that `drizzle-kit push` finds nothing
-- to change. References name no schema, so that the file also runs in a scratch schema.

CREATE TABLE "user" (
    "id" text PRIMARY KEY NOT NULL,
    "name" text NOT NULL,
    "email" text NOT NULL,
    "email_verified" boolean DEFAULT false NOT NULL,
    "image" text,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "updated_at" timestamp DEFAULT now() NOT NULL,
    CONSTRAINT "user_email_unique" UNIQUE ("email")
);

CREATE TABLE "session" (
    "id" text PRIMARY KEY NOT NULL,
    "expires_at" timestamp NOT NULL,
    "token" text NOT NULL,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "updated_at" timestamp NOT NULL,
    "ip_address" text,
    "user_agent" text,
    "user_id" text NOT NULL,
    "active_organization_id" text,
    "active_team_id" text,
    CONSTRAINT "session_token_unique" UNIQUE ("token")
);

CREATE TABLE "account" (
    "id" text PRIMARY KEY NOT NULL,
    "account_id" text NOT NULL,
    "provider_id" text NOT NULL,
    "user_id" text NOT NULL,
    "access_token" text,
    "refresh_token" text,
    "id_token" text,
    "access_token_expires_at" timestamp,
    "refresh_token_expires_at" timestamp,
    "scope" text,
    "password" text,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "updated_at" timestamp NOT NULL
);

CREATE TABLE "verification" (
    "id" text PRIMARY KEY NOT NULL,
    "identifier" text NOT NULL,
    "value" text NOT NULL,
    "expires_at" timestamp NOT NULL,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "updated_at" timestamp DEFAULT now() NOT NULL
);

CREATE TABLE "organization" (
    "id" text PRIMARY KEY NOT NULL,
    "name" text NOT NULL,
    "slug" text NOT NULL,
    "logo" text,
    "created_at" timestamp NOT NULL,
    "metadata" text,
    CONSTRAINT "organization_slug_unique" UNIQUE ("slug")
);

CREATE TABLE "team" (
    "id" text PRIMARY KEY NOT NULL,
    "name" text NOT NULL,
    "organization_id" text NOT NULL,
    "created_at" timestamp NOT NULL,
    "updated_at" timestamp
);

CREATE TABLE "member" (
    "id" text PRIMARY KEY NOT NULL,
    "organization_id" text NOT NULL,
    "user_id" text NOT NULL,
    "role" text DEFAULT 'member' NOT NULL,
    "created_at" timestamp NOT NULL
);

CREATE TABLE "team_member" (
    "id" text PRIMARY KEY NOT NULL,
    "team_id" text NOT NULL,
    "user_id" text NOT NULL,
    "created_at" timestamp
);

CREATE TABLE "invitation" (
    "id" text PRIMARY KEY NOT NULL,
    "organization_id" text NOT NULL,
    "email" text NOT NULL,
    "role" text,
    "team_id" text,
    "status" text DEFAULT 'pending' NOT NULL,
    "expires_at" timestamp NOT NULL,
    "created_at" timestamp DEFAULT now() NOT NULL,
    "inviter_id" text NOT NULL
);

ALTER TABLE "session" ADD CONSTRAINT "session_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE;
ALTER TABLE "account" ADD CONSTRAINT "account_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE;
ALTER TABLE "team" ADD CONSTRAINT "team_organization_id_organization_id_fk" FOREIGN KEY ("organization_id") REFERENCES "organization" ("id") ON DELETE CASCADE;
ALTER TABLE "member" ADD CONSTRAINT "member_organization_id_organization_id_fk" FOREIGN KEY ("organization_id") REFERENCES "organization" ("id") ON DELETE CASCADE;
ALTER TABLE "member" ADD CONSTRAINT "member_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE;
ALTER TABLE "team_member" ADD CONSTRAINT "team_member_team_id_team_id_fk" FOREIGN KEY ("team_id") REFERENCES "team" ("id") ON DELETE CASCADE;
ALTER TABLE "team_member" ADD CONSTRAINT "team_member_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "user" ("id") ON DELETE CASCADE;
ALTER TABLE "invitation" ADD CONSTRAINT "invitation_organization_id_organization_id_fk" FOREIGN KEY ("organization_id") REFERENCES "organization" ("id") ON DELETE CASCADE;
ALTER TABLE "invitation" ADD CONSTRAINT "invitation_inviter_id_user_id_fk" FOREIGN KEY ("inviter_id") REFERENCES "user" ("id") ON DELETE CASCADE;

CREATE INDEX "session_userId_idx" ON "session" USING btree ("user_id");
CREATE INDEX "account_userId_idx" ON "account" USING btree ("user_id");
CREATE INDEX "verification_identifier_idx" ON "verification" USING btree ("identifier");
CREATE UNIQUE INDEX "organization_slug_uidx" ON "organization" USING btree ("slug");
CREATE INDEX "team_organizationId_idx" ON "team" USING btree ("organization_id");
CREATE INDEX "member_organizationId_idx" ON "member" USING btree ("organization_id");
CREATE INDEX "member_userId_idx" ON "member" USING btree ("user_id");
CREATE INDEX "teamMember_teamId_idx" ON "team_member" USING btree ("team_id");
CREATE INDEX "teamMember_userId_idx" ON "team_member" USING btree ("user_id");
CREATE INDEX "invitation_organizationId_idx" ON "invitation" USING btree ("organization_id");
CREATE INDEX "invitation_email_idx" ON "invitation" USING btree ("email");

-- drizzle-kit leaves comments alone; sqlc turns them into the comments of the generated models.
COMMENT ON TABLE "user" IS 'A person who can sign in.';
COMMENT ON TABLE "session" IS 'A signed-in browser or client of a user.';
COMMENT ON TABLE "account" IS 'A way for a user to sign in: a password or an identity at a provider.';
COMMENT ON TABLE "verification" IS 'A value that proves something once: a reset token, a code, an OAuth state.';
COMMENT ON TABLE "organization" IS 'A tenant.';
COMMENT ON TABLE "team" IS 'A group inside an organization.';
COMMENT ON TABLE "member" IS 'The membership of a user in an organization.';
COMMENT ON TABLE "team_member" IS 'The membership of a user in a team.';
COMMENT ON TABLE "invitation" IS 'An offer to an e-mail address to join an organization.';
