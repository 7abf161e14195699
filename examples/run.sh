#!/usr/bin/env bash
# Runs the tour: a Better Auth server and a Go service on the same rows (needs go, node 20 and npm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(
	cd test/betterauth
	if ! cmp -s package-lock.json node_modules/.installed-lock; then
		echo 'installing five versions of Better Auth from npm, once: some ten seconds'
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
		cp package-lock.json node_modules/.installed-lock
	fi
	cp ../../db/migrations/drizzle.ts node_modules/schema.mjs
)
exec go run ./examples/tour
