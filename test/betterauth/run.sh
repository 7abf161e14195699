#!/usr/bin/env bash
# Proves that authdb and a real Better Auth server share a database: five versions of the server, on migrated databases,
# with authdb on the same rows in turn and at once. Better Auth's own suites for adapters pass on those databases, too.
#
#   DATABASE_URL=postgres://user:password@host:5432/postgres test/betterauth/run.sh [arguments of go test]
#
# The role must be allowed to create databases; without DATABASE_URL a server is started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
	printf 'betterauth: %s\n' "$1" >&2
	exit 1
}
for tool in go node npm; do
	command -v "$tool" >/dev/null || fail "$tool is missing; this check needs go, node and npm"
done
(($(node -p 'process.versions.node.split(".")[0]') >= 20)) || fail "this check needs Node 20 or later"

. ./install.sh
install suite

go test -count=1 -timeout 20m -tags betterauth "$@" # without a package, so that it prints what it found
