-- name: ListJWKS :many
-- The keys by which the JWT plugin signs, newest first, without what it signs with. Before 1.4 none expires.
SELECT j.id, j.public_key, coalesce((pg_catalog.to_jsonb(j.*) ->> 'expires_at'::text)::timestamp, 'infinity')::timestamp AS expires_at
FROM jwks j
ORDER BY j.created_at DESC, j.id
LIMIT (SELECT @row_limit::integer);
