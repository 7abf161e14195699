-- Users by the beginning of their address: the index of its UNIQUE serves that in databases of collation C only.
CREATE INDEX CONCURRENTLY "user_email_prefix_idx" ON "user" USING btree ("email" text_pattern_ops);
