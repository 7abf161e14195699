#!/usr/bin/env bash
# Runs the tour: a Better Auth server and a Go service on the same rows (needs go, node 20 and npm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(
	cd test/betterauth
	[[ -e node_modules/.installed-lock ]] || echo 'installing five versions of Better Auth from npm, once: some ten seconds'
	. ./install.sh
)
exec go run ./examples/tour
