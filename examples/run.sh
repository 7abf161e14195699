#!/usr/bin/env bash
# Runs the tour: a Better Auth server and a Go service on the same rows (needs go, node 20 and npm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(
	cd test/betterauth
	if ! cmp -s package-lock.json node_modules/.installed-lock; then
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
		cp package-lock.json node_modules/.installed-lock
	fi
	cp ../drizzle/latest.ts node_modules/schema.mjs
)
exec go run ./examples/tour
