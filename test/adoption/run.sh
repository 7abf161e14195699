#!/usr/bin/env bash
# Proves that migrate/testdata/forms is what Better Auth's generators of 1.0 to 1.7 make of its tables, for Drizzle and by
# themselves (kysely), without organizations, without teams and with them; and that each form, taken over by
# `migrate adopt --complete`, ends in a database on which the whole suite of test/betterauth passes, beside the newest
# server or, with AUTHDB_ADOPTION=full, beside each of five versions.
#
#   DATABASE_URL=postgres://user:password@host:5432/postgres test/adoption/run.sh
#
# In between, drizzle-kit push finds nothing to change in a database so adopted and migrated, once the schema of the
# application has the lines that adopt prints.
#
# With UPDATE_FORMS=1 it writes the forms anew, and stops.
set -euo pipefail
trap 'echo "adoption: failed at line $LINENO" >&2' ERR

cd "$(dirname "${BASH_SOURCE[0]}")"
forms=../../migrate/testdata/forms
fail() {
	printf 'adoption: %s\n' "$1" >&2
	[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /' >&2
	exit 1
}
for tool in go node npm; do
	command -v "$tool" >/dev/null || fail "$tool is missing; this check needs go, node and npm"
done
command -v timeout >/dev/null || timeout() { shift && "$@"; }
if ! cmp -s package-lock.json node_modules/.installed-lock; then
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail "npm ci failed"
	cp package-lock.json node_modules/.installed-lock
fi
[[ ${DATABASE_URL:-} =~ ^(postgres(ql)?://[^/?]*)(/[^?]*)?(\?.*)?$ ]] ||
	fail "set DATABASE_URL to a postgres:// URL of a server where a database may be created"
name=authdb_adoption_$$_$RANDOM
scratch=${BASH_REMATCH[1]}/$name${BASH_REMATCH[4]:-}
tmp=$(mktemp -d)
cleanup() {
	rm -rf "$tmp" schema_*.ts
	echo "DROP DATABASE IF EXISTS $name WITH (FORCE)" | node db.mjs
}
trap cleanup EXIT
export BETTER_AUTH_TELEMETRY=0

# generate VERSION OUT: the CLI of that version, with its own better-auth.
generate() {
	local cli=node_modules/cli-$1 bin
	bin=$(node -p 'const { bin } = require(`./${process.argv[1]}/package.json`); typeof bin === "string" ? bin : Object.values(bin)[0]' "$cli")
	cp auth.mjs "$cli/auth.mjs"
	rm -f "$2"
	out=$(timeout 100 node --import ./node20.mjs "$cli/$bin" generate --config "$cli/auth.mjs" --output "$2" -y </dev/null 2>&1) || true
	[[ -s $2 ]] || fail "the generator of $1 wrote nothing:" "$out"
}
# sql ADAPTER VERSION FORM FILE: the statements by which the tables are made.
sql() {
	export ADAPTER=$1 FORM=$3
	if [[ $1 == kysely ]]; then
		generate "$2" "$4"
	else
		local schema=schema_${2}_$3.ts # beside the drizzle-orm that it imports
		generate "$2" "$schema"
		timeout 60 node node_modules/drizzle-kit/bin.cjs export --dialect postgresql --schema "./$schema" </dev/null >"$4"
	fi
}

checks=0
for adapter in drizzle kysely; do
	for form in core org teams; do
		latest=
		for version in 1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7; do
			got=$tmp/$adapter-$version-$form.sql file=$forms/$adapter-$version-$form.sql
			sql "$adapter" "$version" "$form" "$got"
			if [[ -n ${UPDATE_FORMS:-} ]]; then
				cmp -s "$got" "${latest:-/dev/null}" && rm -f "$file" || cp "$got" "$file"
				latest=$got
				continue
			fi
			[[ ! -f $file ]] || latest=$file
			diff=$(diff "$latest" "$got") || fail "$adapter $version, $form, is not $latest:" "$diff"
			checks=$((checks + 1))
		done
	done
done
[[ -z ${UPDATE_FORMS:-} ]] || exit 0
echo "adoption: the generators of 8 versions make the forms that are kept ($checks checks)"

go build -C ../.. -o "$tmp/migrate" ./cmd/migrate
adopt() { DATABASE_URL=$scratch "$tmp/migrate" adopt --superset --complete --json >"$tmp/adopted" 2>/dev/null; }
push() {
	DATABASE_URL=$scratch DRIZZLE_SCHEMA=./$1 timeout 60 node node_modules/drizzle-kit/bin.cjs push --strict --verbose </dev/null 2>&1 || true
}
checks=0
for file in "$forms"/drizzle-*.sql; do
	form=${file##*/drizzle-} && form=${form%.sql}
	schema=schema_${form/-/_}.ts
	echo "DROP DATABASE IF EXISTS $name WITH (FORCE); CREATE DATABASE $name TEMPLATE template0" | node db.mjs
	DATABASE_URL=$scratch node db.mjs <"$file"
	if ! adopt; then # it wants the columns renamed
		node -p 'JSON.parse(fs.readFileSync(0)).remedies.slice(1).join("\n")' <"$tmp/adopted" | DATABASE_URL=$scratch node db.mjs
		adopt || fail "$form is not adopted:" "$(cat "$tmp/adopted")"
	fi
	DATABASE_URL=$scratch "$tmp/migrate" up >/dev/null 2>&1 || fail "up on $form"
	node merge.mjs "$schema" <"$tmp/adopted" >schema_merged.ts
	out=$(push schema_merged.ts)
	[[ $out == *"No changes detected"* ]] || fail "push has something to change in $form:" "$out"
	checks=$((checks + 1))
done
[[ $(push "$schema") != *"No changes detected"* ]] || fail "control: push does not miss the lines"
echo "adoption: with the printed lines drizzle-kit push has nothing to change ($checks forms)"

../betterauth/run.sh -tags 'betterauth adoption' -run '^TestForms$' -timeout 60m
