#!/usr/bin/env bash
# Checks that what is generated is what its sources make. Changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# In a copy: sqlc neither deletes nor notices a file whose query file is gone.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/internal" "$copy/db"
cp sqlc.yaml "$copy"
cp -R db/sqlc.sql db/migrations db/plugins db/queries "$copy/db"
CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/go.mod sqlc -f "$copy/sqlc.yaml" generate
for out in internal/dbgen internal/admindb; do
	diff -r "$copy/$out" "$out" || { echo "verify: $out is stale: run make generate" >&2; exit 1; }
done

# The same from the one file that cmd/migrate prints for other tools.
go run ./cmd/migrate schema >"$copy/schema.sql"
sed 's#db/sqlc.sql, db/migrations#schema.sql#; s#internal/dbgen#printed#' "$copy/sqlc.yaml" >"$copy/printed.yaml"
CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/go.mod sqlc -f "$copy/printed.yaml" generate
diff -r "$copy/printed" internal/dbgen || { echo 'verify: sqlc makes something else of migrate schema' >&2; exit 1; }

mkdir "$copy/examples" "$copy/bench"
cp -R examples/sqlc "$copy/examples"
cp -R bench/sqlc "$copy/bench"
for out in examples/sqlc/billing bench/sqlc/queries; do
	rm -r "${copy:?}/$out"
	CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/go.mod sqlc -f "$copy/$(dirname "$out")/sqlc.yaml" generate
	diff -r "$copy/$out" "$out" || { echo "verify: $out is stale: run make generate" >&2; exit 1; }
done

make -s bench/ent/client.go # which is not kept
for mod in . bench examples/sqlc examples/tracing tools tools/lint tools/vuln; do
	(cd "$mod" && go mod tidy -diff) || { echo "verify: $mod/go.mod is not tidy" >&2; exit 1; }
done

unformatted=$(gofmt -l .)
[[ -z $unformatted ]] || { echo "verify: gofmt would change: $unformatted" >&2; exit 1; }

for mod in . bench examples/sqlc examples/tracing; do (cd "$mod" && go vet ./...); done
echo 'verify: all fresh'
