-- Users by the beginning of their name, in any case.
CREATE INDEX CONCURRENTLY "user_name_prefix_idx" ON "user" USING btree (pg_catalog.lower("name") text_pattern_ops);
