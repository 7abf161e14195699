#!/usr/bin/env bash
# Proves that db/migrations/0001_baseline.up.sql makes exactly what Drizzle makes from schema.ts, and all migrations what
# it makes from db/migrations/drizzle.ts (latest.ts here), which has the lines that docs/drizzle.md asks for.
#
#   DATABASE_URL=postgres://user:password@host:5432/postgres test/drizzle/run.sh
#   DATABASE_URL='postgres:///postgres?host=/socket/dir&user=postgres' test/drizzle/run.sh
#
# The role must be allowed to create databases; the scratch databases are dropped at the end.
set -euo pipefail
trap 'echo "drizzle: run.sh failed at line $LINENO" >&2' ERR

cd "$(dirname "${BASH_SOURCE[0]}")"
migration=../../db/migrations/0001_baseline.up.sql

# What drizzle-kit 0.31 writes for this schema; `drizzle-kit migrate` stores the same hash in its journal, so `adopt`
# relies on it.
generated_sha256=1e22704dad3da2a0832c3e47bae5f64ee9788eb7543190874882f296d5b688d7

checks=0
ok() { checks=$((checks + 1)); }
fail() {
	printf 'drizzle: %s\n' "$1" >&2
	[[ -z ${2:-} ]] || printf '%s\n' "$2" | grep -v -e 'Pulling schema' -e '^    at ' | sed 's/^/    /' >&2
	exit 1
}

for tool in psql node npm; do
	command -v "$tool" >/dev/null || fail "$tool is missing; this check needs psql, node and npm"
done
# Not every system has timeout(1). It is a second line: stdin is /dev/null, so a prompt ends drizzle-kit anyway.
command -v timeout >/dev/null || timeout() { shift && "$@"; }
[[ -r $migration ]] || fail "cannot read $migration"
# psql's arguments are for everybody to read: a password goes by the environment.
if [[ ${DATABASE_URL:-} =~ ^([a-z]+://[^:/?@]*):([^@]*)@(.*)$ ]]; then
	PGPASSWORD=$(printf '%b' "${BASH_REMATCH[2]//%/\\x}")
	export PGPASSWORD DATABASE_URL="${BASH_REMATCH[1]}@${BASH_REMATCH[3]}"
fi
[[ ${DATABASE_URL:-} =~ ^(postgres(ql)?://[^/?]*)(/[^?]*)?(\?.*)?$ ]] ||
	fail "set DATABASE_URL to a postgres:// URL of a server where a database may be created"
url_head=${BASH_REMATCH[1]} url_tail=${BASH_REMATCH[4]:-}

sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# libpq and node-postgres fill in what a URL leaves out in different ways (socket or localhost, OS user or $USER), so
# node gets the values that psql ended up with. A URL that names them still wins.
target=$(sql -c '\echo :PORT :USER :HOST' "$DATABASE_URL" </dev/null) || fail "cannot connect to DATABASE_URL"
read -r PGPORT PGUSER PGHOST <<<"$target"
export PGHOST PGPORT PGUSER

# Before the databases exist, so that a slow or failing install leaves nothing behind.
if ! cmp -s package-lock.json node_modules/.installed-lock; then
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail "npm ci failed"
	cp package-lock.json node_modules/.installed-lock
fi

name=authdb_drizzle_$$_$RANDOM
ours=$url_head/$name$url_tail theirs=$url_head/${name}_kit$url_tail latest=$url_head/${name}_new$url_tail
tmp=$(mktemp -d)
without=./without_$$.ts # beside node_modules, which it needs
cleanup() {
	rm -rf "$tmp" "$without" latest.ts
	sql "$DATABASE_URL" -c 'SET client_min_messages = warning' \
		-c "DROP DATABASE IF EXISTS $name WITH (FORCE)" -c "DROP DATABASE IF EXISTS ${name}_kit WITH (FORCE)" \
		-c "DROP DATABASE IF EXISTS ${name}_new WITH (FORCE)" </dev/null
}
trap cleanup EXIT
cp ../../db/migrations/drizzle.ts latest.ts # beside node_modules, too
# template0, because push would report whatever a site keeps in template1.
sql "$DATABASE_URL" -c "CREATE DATABASE $name TEMPLATE template0" -c "CREATE DATABASE ${name}_kit TEMPLATE template0" \
	-c "CREATE DATABASE ${name}_new TEMPLATE template0" </dev/null || fail "cannot create the scratch databases"

# drizzle-kit 0.31 exits 0 even when it fails, so only its output tells what happened. --strict makes it ask before it
# executes anything, which it cannot do without a terminal: it prints its statements and stops.
kit() { timeout 60 node node_modules/drizzle-kit/bin.cjs "$@" </dev/null 2>&1 || echo "drizzle-kit: exit status $?"; }
push() { DATABASE_URL=$ours kit push --strict --verbose; }

expect_no_changes() {
	local out
	out=$(push)
	[[ $out == *"No changes detected"* ]] || fail "push does not say 'No changes detected' $1:" "$out"
	ok
}

# A push that says "No changes detected" proves something only if it stops saying so when one thing is changed.
# control WHAT CHANGE UNDO STATEMENT; the undo also fails if push executed its statement after all.
control() {
	local out
	sql "$ours" -c "$2" </dev/null || fail "control ($1): cannot change the database"
	out=$(push)
	[[ $out != *"No changes detected"* ]] || fail "control: push does not notice $1"
	[[ $out == *"$4"* ]] || fail "control: push does not answer $1 with $4:" "$out"
	sql "$ours" -c "$3" </dev/null || fail "control ($1): cannot undo the change"
	ok
}

# push does not look at the names of primary keys, collations, triggers, the predicate of an index, and DEFERRABLE,
# NOT VALID and NULLS NOT DISTINCT, so the catalogs are compared as well. Comments are ours alone and left out, and so
# is contype 'n', where PostgreSQL 18 keeps NOT NULL, because it would make the number of facts depend on the version.
facts() {
	sql "$1" <<-'SQL'
		SET search_path = public;
		SELECT fact COLLATE "C" FROM (
			SELECT format('relation %s %s rls=%s', oid::regclass, relkind, relrowsecurity)
			FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i'
			UNION ALL
			SELECT format('column %s.%s #%s %s notnull=%s default=%s collation=%s identity=%s generated=%s',
				attrelid::regclass, attname, attnum, format_type(atttypid, atttypmod), attnotnull,
				pg_get_expr(adbin, adrelid), attcollation::regcollation, attidentity, attgenerated)
			FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
			LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i' AND attnum > 0 AND NOT attisdropped
			UNION ALL
			SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
			FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
			UNION ALL
			SELECT format('index %s valid=%s', pg_get_indexdef(indexrelid), indisvalid)
			FROM pg_index JOIN pg_class c ON c.oid = indexrelid
			WHERE relnamespace = 'public'::regnamespace
				AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
			UNION ALL
			SELECT format('trigger %s', pg_get_triggerdef(t.oid))
			FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
			WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal
		) AS f (fact) ORDER BY 1;
	SQL
}

out=$(DRIZZLE_OUT=$tmp/out DATABASE_URL=$ours kit generate --name baseline)
generated=$tmp/out/0000_baseline.sql
[[ -f $generated ]] || fail "drizzle-kit generate wrote no file:" "$out"
sha256=$(node -p 'crypto.createHash("sha256").update(fs.readFileSync(process.argv[1])).digest("hex")' "$generated")
[[ $sha256 == "$generated_sha256" ]] ||
	fail "drizzle-kit generate wrote sha256 $sha256, not $generated_sha256:" "$(cat "$generated")"
ok

sql "$ours" -o /dev/null -f "$migration" || fail "the migration does not run"
# The version table as the migrate command makes it, so that push is asked what it will be asked in production.
sql "$ours" </dev/null -c 'CREATE SCHEMA authdb' \
	-c 'CREATE TABLE authdb.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)' \
	-c 'INSERT INTO authdb.schema_migrations VALUES (1, false)'
sql "$theirs" -o /dev/null -f "$generated" || fail "the generated file does not run"

expect_no_changes "after the migration"

facts "$ours" >"$tmp/ours"
facts "$theirs" >"$tmp/theirs"
diff=$(diff "$tmp/theirs" "$tmp/ours") || fail "the catalogs differ (< Drizzle, > migration):" "$diff"
# 9 tables, 65 columns, 21 constraints, 11 other indexes: two empty lists would be equal as well.
count=$(($(wc -l <"$tmp/ours")))
[[ $count == 106 ]] || fail "expected 106 catalog facts, found $count:" "$(cat "$tmp/ours")"
ok

control "a missing index" \
	'DROP INDEX "session_userId_idx"' \
	'CREATE INDEX "session_userId_idx" ON session (user_id)' \
	'CREATE INDEX "session_userId_idx" ON "session" USING btree ("user_id");'
control "another column type" \
	'ALTER TABLE "user" ALTER COLUMN name TYPE varchar(255)' \
	'ALTER TABLE "user" ALTER COLUMN name TYPE text' \
	'ALTER TABLE "user" ALTER COLUMN "name" SET DATA TYPE text;'
# Why the version table has a schema of its own.
control "a version table in public" \
	'CREATE TABLE public.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)' \
	'DROP TABLE public.schema_migrations' \
	'DROP TABLE "schema_migrations" CASCADE;'

sql "$ours" -c 'ALTER TABLE session RENAME CONSTRAINT session_pkey TO session_pk' </dev/null
facts "$ours" >"$tmp/changed"
! cmp -s "$tmp/theirs" "$tmp/changed" || fail "control: the catalog comparison does not notice a renamed primary key"
sql "$ours" -c 'ALTER TABLE session RENAME CONSTRAINT session_pk TO session_pkey' </dev/null
ok

# The controls are undone, so nothing but their changes made push speak up.
expect_no_changes "after the controls were undone"

# The same at the latest version, for a reader who adds to the Drizzle schema what docs/drizzle.md lists.
up=(../../db/migrations/*.up.sql)
rows=$(grep -E '^\| ([0-9, ]+ )?\| .+ \| (`.+` )?\|$' ../../docs/drizzle.md) || fail "docs/drizzle.md has no table of migrations"
numbers=$(cut -d'|' -f2 <<<"$rows" | grep -oE '[0-9]+' | tr '\n' ' ')
[[ $numbers == "$(seq 2 ${#up[@]} | tr '\n' ' ')" ]] || fail "docs/drizzle.md has migrations $numbers; there are ${#up[@]}"
lines=$(cut -d'|' -f4 <<<"$rows" | sed -n 's/^ `\(.*\)` $/\1/p')
# latest.ts without these lines is schema.ts, so it has each of them, and nothing else.
node - "$lines" >"$without" <<-'JS'
	let text = require("fs").readFileSync("latest.ts", "utf8")
	for (const line of process.argv[2].split("\n")) {
		if (text.split(line).length !== 2) throw new Error(`docs/drizzle.md asks for a line that latest.ts does not have once: ${line}`)
		text = text.replace(line, () => "").replace(/^\s*,\n/m, "")
	}
	process.stdout.write(text)
JS
out=$(DRIZZLE_SCHEMA=$without DRIZZLE_OUT=$tmp/without DATABASE_URL=$ours kit generate --name without)
cmp -s "$tmp/without/0000_without.sql" "$generated" || fail "latest.ts has more than docs/drizzle.md asks for:" "$out"
ok

for file in "${up[@]:1}"; do
	sql "$ours" -o /dev/null -f "$file" || fail "$file does not run"
done
# What push says to a reader who adds nothing.
out=$(push)
for statement in \
	'DROP INDEX "member_organizationId_userId_uidx";' 'DROP INDEX "user_createdAt_id_idx";' \
	'ALTER TABLE "team" DROP COLUMN "member_count";' \
	'ALTER TABLE "team_member" DROP CONSTRAINT "team_member_membership_key_unique";'; do
	[[ $out == *"$statement"* ]] || fail "control: push of schema.ts at the latest version does not say $statement" "$out"
done
ok

export DRIZZLE_SCHEMA=./latest.ts
expect_no_changes "at the latest version"
out=$(DRIZZLE_OUT=$tmp/latest DATABASE_URL=$latest kit generate --name latest)
[[ -f $tmp/latest/0000_latest.sql ]] || fail "drizzle-kit generate wrote no file:" "$out"
sql "$latest" -o /dev/null -f "$tmp/latest/0000_latest.sql" || fail "the generated file of latest.ts does not run"
facts "$ours" >"$tmp/ours"
facts "$latest" >"$tmp/theirs"
diff=$(diff "$tmp/theirs" "$tmp/ours") || fail "the latest catalogs differ (< Drizzle, > migrations):" "$diff"
# 2 columns, 1 constraint and 11 indexes more.
count=$(($(wc -l <"$tmp/ours")))
[[ $count == 120 ]] || fail "expected 120 catalog facts, found $count:" "$(cat "$tmp/ours")"
ok

control "a missing unique index" \
	'DROP INDEX "member_organizationId_userId_uidx"' \
	'CREATE UNIQUE INDEX "member_organizationId_userId_uidx" ON member (organization_id, user_id)' \
	'CREATE UNIQUE INDEX "member_organizationId_userId_uidx" ON "member" USING btree ("organization_id","user_id");'
control "a missing default" \
	'ALTER TABLE team ALTER COLUMN member_count DROP DEFAULT' \
	'ALTER TABLE team ALTER COLUMN member_count SET DEFAULT 0' \
	'ALTER TABLE "team" ALTER COLUMN "member_count" SET DEFAULT 0;'
control "a missing constraint" \
	'ALTER TABLE team_member DROP CONSTRAINT team_member_membership_key_unique' \
	'ALTER TABLE team_member ADD CONSTRAINT team_member_membership_key_unique UNIQUE (membership_key)' \
	'ALTER TABLE "team_member" ADD CONSTRAINT "team_member_membership_key_unique" UNIQUE("membership_key");'
expect_no_changes "at the latest version, after the controls were undone"

echo "drizzle: push says no changes ($checks checks)"
