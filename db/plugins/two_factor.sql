-- The column of Better Auth's two-factor plugin in the table of users. sqlc does not know of it.

ALTER TABLE "user" ADD COLUMN "two_factor_enabled" boolean DEFAULT false;
