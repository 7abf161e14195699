-- Apart from the columns, whose lock would otherwise last as long. Of a membership that is there twice the oldest row
-- gets the key. Better Auth 1.6 keeps neither up to date: run these statements again before a server becomes a 1.7.
UPDATE "team" SET "member_count" = (SELECT pg_catalog.count(*) FROM "team_member" WHERE "team_member"."team_id" = "team"."id")
WHERE "member_count" <> (SELECT pg_catalog.count(*) FROM "team_member" WHERE "team_member"."team_id" = "team"."id");
UPDATE "team_member" SET "membership_key" = pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    '[' || pg_catalog.to_json("team_id")::text || ',' || pg_catalog.to_json("user_id")::text || ']', 'UTF8')), 'base64'), '='), '+/', '-_')
WHERE "membership_key" IS NULL AND "id" IN (
    SELECT DISTINCT ON ("team_id", "user_id") "id" FROM "team_member"
    ORDER BY "team_id", "user_id", "created_at" NULLS LAST, "id"
);
