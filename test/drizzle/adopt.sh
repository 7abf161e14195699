#!/usr/bin/env bash
# Proves that `migrate adopt` takes over the databases that drizzle-kit 0.31 and 1.0-rc really make, by migrate and by
# push, with what Better Auth 1.7 adds or a plugin, and that up and verify agree afterwards.
#
#   DATABASE_URL=postgres://user:password@host:5432/postgres test/drizzle/adopt.sh
set -euo pipefail
trap 'echo "adopt: failed at line $LINENO" >&2' ERR

cd "$(dirname "${BASH_SOURCE[0]}")"
checks=0
ok() { checks=$((checks + 1)); }
fail() {
	printf 'adopt: %s\n' "$1" >&2
	[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /' >&2
	exit 1
}

for tool in psql node npm go; do
	command -v "$tool" >/dev/null || fail "$tool is missing; this check needs psql, node, npm and go"
done
command -v timeout >/dev/null || timeout() { shift && "$@"; }
# psql's arguments are for everybody to read: a password goes by the environment.
if [[ ${DATABASE_URL:-} =~ ^([a-z]+://[^:/?@]*):([^@]*)@(.*)$ ]]; then
	PGPASSWORD=$(printf '%b' "${BASH_REMATCH[2]//%/\\x}")
	export PGPASSWORD DATABASE_URL="${BASH_REMATCH[1]}@${BASH_REMATCH[3]}"
fi
[[ ${DATABASE_URL:-} =~ ^(postgres(ql)?://[^/?]*)(/[^?]*)?(\?.*)?$ ]] ||
	fail "set DATABASE_URL to a postgres:// URL of a server where a database may be created"
url_head=${BASH_REMATCH[1]} url_tail=${BASH_REMATCH[4]:-}
sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$@" </dev/null; }
target=$(sql -c '\echo :PORT :USER :HOST' "$DATABASE_URL") || fail "cannot connect to DATABASE_URL"
read -r PGPORT PGUSER PGHOST <<<"$target"
export PGHOST PGPORT PGUSER

for folder in . rc; do
	if ! cmp -s $folder/package-lock.json $folder/node_modules/.installed-lock; then
		(cd $folder && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || fail "npm ci failed"
		cp $folder/package-lock.json $folder/node_modules/.installed-lock
	fi
done

server=$DATABASE_URL name=authdb_adopt_$$_$RANDOM
tmp=$(mktemp -d)
cleanup() {
	rm -rf "$tmp" rc/schema.ts latest.ts
	sql "$server" -c 'SET client_min_messages = warning' -c "DROP DATABASE IF EXISTS $name WITH (FORCE)"
}
trap cleanup EXIT
cp schema.ts rc/schema.ts # beside the drizzle-orm that it means there
cp ../../db/migrations/drizzle.ts latest.ts
go build -C ../.. -o "$tmp/migrate" ./cmd/migrate
export DATABASE_URL=$url_head/$name$url_tail

fresh() {
	sql "$server" -c 'SET client_min_messages = warning' -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" \
		-c "CREATE DATABASE $name TEMPLATE template0"
}
# A question that nobody can answer ends drizzle-kit; its exit status says nothing.
kit() { (cd "$1" && DRIZZLE_OUT=$tmp/$1 timeout 100 node node_modules/drizzle-kit/bin.cjs "${@:2}" </dev/null 2>&1); }

# migrate CODE TEXT ARGUMENT...: the command, its exit code and a part of its output.
migrate() {
	local out code=0
	out=$("$tmp/migrate" "${@:3}" 2>&1) || code=$?
	[[ $code == "$1" ]] || fail "migrate ${*:3}: exit code $code, not $1:" "$out"
	[[ $out == *"$2"* ]] || fail "migrate ${*:3}: no '$2':" "$out"
	ok
}
# taken VERSION FAMILY FLAG: the whole way, at the end of which verify finds nothing.
taken() {
	migrate 1 "run adopt" up
	migrate 0 "adopted at version $1" adopt ${3:-}
	migrate 0 "" up
	migrate 0 "no drift; constraints are named as by $2" verify ${3:-}
	migrate 0 "" status
}

kit . generate --name baseline >/dev/null
[[ -f $tmp/./0000_baseline.sql ]] || fail "drizzle-kit 0.31 generate wrote no file"

# drizzle-kit 0.31 migrate. Afterwards it still finds its own journal.
fresh
out=$(kit . migrate) || fail "drizzle-kit 0.31 migrate:" "$out"
taken 1 "drizzle-kit 0.31"
out=$(kit . migrate) || fail "drizzle-kit 0.31 migrate after adopt:" "$out"
ok

# drizzle-kit 0.31 push. Without a journal its migrate would fail, so adopt writes one.
fresh
out=$(kit . push --force)
[[ $out == *"Changes applied"* ]] || fail "drizzle-kit 0.31 push:" "$out"
kit . migrate >/dev/null && fail "control: migrate on a pushed database should fail"
sql "$DATABASE_URL" -c 'DROP SCHEMA drizzle CASCADE' 2>/dev/null
migrate 0 "0000_baseline: noted as applied" adopt --drizzle-journal "$tmp/."
migrate 0 "" up
migrate 0 "no drift" verify
out=$(kit . migrate) || fail "drizzle-kit 0.31 migrate after adopt --drizzle-journal:" "$out"
ok

# drizzle-kit 0.31 push of everything that docs/drizzle.md lists: what is there already is passed over.
fresh
out=$(DRIZZLE_SCHEMA=./latest.ts kit . push --force)
[[ $out == *"Changes applied"* ]] || fail "drizzle-kit 0.31 push of latest.ts:" "$out"
taken 3 "drizzle-kit 0.31"

# drizzle-kit 1.0-rc push: other names.
fresh
out=$(kit rc push --force) || fail "drizzle-kit 1.0-rc push:" "$out"
sql "$DATABASE_URL" -c "SELECT 1 / count(*) FROM pg_constraint WHERE conname = 'user_email_key'" >/dev/null ||
	fail "drizzle-kit 1.0-rc names its constraints otherwise than thought"
taken 1 "drizzle-kit 1.0"

# drizzle-kit 1.0-rc migrate.
fresh
out=$(kit rc generate --name baseline) || fail "drizzle-kit 1.0-rc generate:" "$out"
out=$(kit rc migrate) || fail "drizzle-kit 1.0-rc migrate:" "$out"
taken 1 "drizzle-kit 1.0"
out=$(kit rc push --force) || true
[[ $out != *'DROP SCHEMA "authdb"'* ]] || fail "drizzle-kit 1.0-rc push wants to drop the schema authdb:" "$out"
ok

# With the two columns of Better Auth 1.7, and without the redundant index, as ZeroStarter's later migration leaves it.
fresh
kit . push --force >/dev/null
sql "$DATABASE_URL" -c 'ALTER TABLE team ADD COLUMN member_count integer DEFAULT 0 NOT NULL' \
	-c 'ALTER TABLE team_member ADD COLUMN membership_key text' \
	-c 'ALTER TABLE team_member ADD CONSTRAINT team_member_membership_key_unique UNIQUE (membership_key)' \
	-c 'DROP INDEX organization_slug_uidx'
migrate 0 "redundant" adopt --dry-run
taken 1 "drizzle-kit 0.31"

# With a plugin's columns and table, and the application's own.
fresh
kit . push --force >/dev/null
sql "$DATABASE_URL" -c 'ALTER TABLE "user" ADD COLUMN role text, ADD COLUMN banned boolean' \
	-c 'CREATE INDEX user_role_idx ON "user" (role)' -c 'CREATE TABLE passkey (id text PRIMARY KEY)'
migrate 4 "extra      column user.role text" adopt
taken 1 "drizzle-kit 0.31" --superset
migrate 4 "extra      table passkey" verify

# Refused: a column of another type, and the one that Better Auth 1.7.0 to 1.7.2 wanted. Times with a zone are not.
fresh
kit . push --force >/dev/null
sql "$DATABASE_URL" -c 'ALTER TABLE member ALTER COLUMN created_at TYPE timestamptz, ALTER COLUMN role TYPE varchar(9)' \
	-c 'ALTER TABLE account ADD COLUMN issuer text NOT NULL'
migrate 4 "different  column member.role" adopt --superset
migrate 4 "extra      column account.issuer" adopt
migrate 0 "0" version
sql "$DATABASE_URL" -c 'ALTER TABLE member ALTER COLUMN role TYPE text'
taken 1 "drizzle-kit 0.31" --superset

echo "adopt: databases of drizzle-kit 0.31 and 1.0-rc are taken over ($checks checks)"
