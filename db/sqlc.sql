-- What sqlc must know, and cannot see in the DO of migration 15.
CREATE SCHEMA "authdb";
