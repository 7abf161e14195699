#!/usr/bin/env bash
# Checks that what is generated is what its sources make. Changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# In a copy: sqlc neither deletes nor notices a file whose query file is gone.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/internal" "$copy/db"
cp sqlc.yaml "$copy"
cp -R db/sqlc.sql db/migrations db/queries "$copy/db"
CGO_ENABLED=0 go tool -modfile=tools/go.mod sqlc -f "$copy/sqlc.yaml" generate
diff -r "$copy/internal/dbgen" internal/dbgen || { echo 'verify: internal/dbgen is stale: run make generate' >&2; exit 1; }

for mod in . tools tools/lint tools/vuln; do
	(cd "$mod" && go mod tidy -diff) || { echo "verify: $mod/go.mod is not tidy" >&2; exit 1; }
done

unformatted=$(gofmt -l .)
[[ -z $unformatted ]] || { echo "verify: gofmt would change: $unformatted" >&2; exit 1; }

go vet ./...
echo 'verify: all fresh'
