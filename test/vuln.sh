#!/usr/bin/env bash
# Looks for known vulnerabilities in what importers get. Without the database it says so and fails nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
out=$(CGO_ENABLED=0 tools/patiently.sh go tool -modfile=tools/vuln/go.mod govulncheck ./... 2>&1) || status=$?
echo "$out"
if ((status)) && grep -q '^govulncheck: fetching vulnerabilities' <<<"$out"; then
	echo 'vuln: the database cannot be reached, so nothing was checked'
	exit 0
fi
exit "$status"
