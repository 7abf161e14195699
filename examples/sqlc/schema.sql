-- The project's own table, with a key to one of authdb's.
CREATE TABLE customer (
    organization_id text PRIMARY KEY REFERENCES organization ON DELETE CASCADE,
    plan text NOT NULL,
    seats integer NOT NULL CHECK (seats > 0)
);
