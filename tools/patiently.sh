#!/bin/sh
# Runs a command, and says what it may be at if it takes longer than two seconds: the first use of a tool compiles it.
#
#   tools/patiently.sh go tool -modfile=tools/go.mod sqlc generate
(
	trap 'kill "$!" 2>/dev/null; exit' TERM
	sleep 2 &
	wait
	for tool; do case $tool in sqlc | golangci-lint | govulncheck) break ;; esac; done
	echo "running $tool; its first run compiles it, which takes minutes" >&2
) &
"$@"
code=$?
kill "$!" 2>/dev/null
exit "$code"
