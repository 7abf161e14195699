-- name: ListJWKS :many
-- The public keys of the JWT plugin, newest first. Before 1.4 none expires.
SELECT j.id, j.public_key, coalesce((pg_catalog.to_jsonb(j.*) ->> 'expires_at'::text)::timestamp, 'infinity')::timestamp AS expires_at
FROM jwks j
ORDER BY j.created_at DESC, j.id
LIMIT (SELECT @row_limit::integer);
