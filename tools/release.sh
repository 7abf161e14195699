#!/usr/bin/env bash
# Makes a release of what is committed: moves the changelog's Unreleased part under the version, commits that and tags it
# with the part as its message. Nothing is pushed.
#
#   tools/release.sh v0.1.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "release: $1" >&2; exit 1; }

version=${1:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail 'name the version, such as v0.1.0'
[[ -z $(git status --porcelain) ]] || fail 'there are changes that are not committed'
! git rev-parse -q --verify "refs/tags/$version" >/dev/null || fail "$version is there already"
notes=$(awk '/^## / { if (on) exit; on = ($2 == "Unreleased"); next } on' CHANGELOG.md)
[[ -n ${notes//[[:space:]]/} ]] || fail 'the changelog has nothing under Unreleased'
go run ./cmd/migrate check >&2 || fail 'a migration lacks its checksum in db/migrations/SHA256SUMS'

awk -v heading="## ${version#v} - $(date -u +%F)" '
	{ print }
	/^## Unreleased$/ { print ""; print heading }' CHANGELOG.md >CHANGELOG.next
mv CHANGELOG.next CHANGELOG.md
git commit --quiet --message "Release $version" CHANGELOG.md
git tag --annotate --cleanup=whitespace --message "authdb $version"$'\n\n'"$notes" "$version"
echo "release: $version is tagged. Publish it with"
echo "    git push origin HEAD $version"
