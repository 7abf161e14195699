#!/usr/bin/env bash
# Proves that another module can `go get` this one, that it compiles the first Go sample of README.md, and that its
# go.mod gains pgx and what pgx itself needs, nothing else.
#
#   test/consumer/run.sh
#   SAMPLE=service.go test/consumer/run.sh  that file instead of the README's
#
# Needs go and git (2.32 or later). Modules come from the module cache where it has them, else from GOPROXY; `go mod
# tidy` also looks at what the tests of pgx import, which a cache may lack.
set -euo pipefail
trap 'echo "consumer: run.sh failed at line $LINENO" >&2' ERR
export LC_ALL=C

module=github.com/zerostarter/authdb pgx=github.com/jackc/pgx/v5
migrate=github.com/golang-migrate/migrate/v4

checks=0
ok() { checks=$((checks + 1)); }
fail() {
	printf 'consumer: %s\n' "$1" >&2
	[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /' >&2
	exit 1
}
# The command, silent unless it fails.
must() {
	local out
	out=$("$@" 2>&1) || fail "this failed: $*" "$out"
}

for tool in go git tar; do command -v "$tool" >/dev/null || fail "this check needs $tool"; done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/repo" "$tmp/sample" "$tmp/control" "$tmp/pgxonly"
if [[ -n ${SAMPLE:-} ]]; then
	cp "$SAMPLE" "$tmp/sample/service.go" || fail "cannot read SAMPLE=$SAMPLE"
else
	[[ -r $root/README.md ]] || fail "there is no README.md; SAMPLE=service.go gives a file instead"
	awk '/^```/ && go { exit } go; /^```go([ \t]|$)/ { go = 1 }' "$root/README.md" >"$tmp/sample/service.go"
fi
for line in '^package [a-z]*$' "\"$module\"" '^func '; do
	grep -q "$line" "$tmp/sample/service.go" ||
		fail "the sample (SAMPLE, or README.md's first go block) is no file that uses $module; it lacks $line:" \
			"$(cat "$tmp/sample/service.go")"
done
ok

# A repository with what a tagged version would hold. The go command takes the version from it, by its own rules for
# module zips, because git sends it there instead of to the real address; what it stores is a tree for GOPROXY.
# v0.0.2 is the negative control: the root package imports one thing more.
# shellcheck disable=SC2046 # a list of names
unset $(git rev-parse --local-env-vars)
cat >"$tmp/gitconfig" <<-END
	[user]
		name = consumer
		email = consumer@example.com
	[safe]
		directory = *
	[url "file://$tmp/repo"]
		insteadOf = https://$module
END
with_gitconfig() { GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$tmp/gitconfig "$@"; }
files() {
	local file
	with_gitconfig git -C "$root" ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
		if [[ -e $root/$file ]]; then printf '%s\0' "$file"; fi
	done
}
release() {
	must with_gitconfig git -C "$tmp/repo" add --all --force
	must with_gitconfig git -C "$tmp/repo" commit --quiet --message "$1"
	must with_gitconfig git -C "$tmp/repo" tag "$1"
}
files | tar -C "$root" -cf - --null -T - | tar -C "$tmp/repo" -xf - || fail "cannot copy what git lists in $root"
must with_gitconfig git -C "$tmp/repo" init --quiet
release v0.0.1
printf 'package authdb\n\nimport _ "%s"\n' "$migrate" >"$tmp/repo/control.go"
release v0.0.2

# Nothing of this may end in the module cache of the user, nor depend on the user's settings but GOPROXY and GOSUMDB.
proxies="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
export GO111MODULE=on GOWORK=off GOFLAGS='-modcacherw -trimpath' GOPRIVATE='' GONOPROXY=none GOVCS=public:git
export GOMODCACHE=$tmp/mod GOPROXY=$proxies
# The checksum database does not know our versions.
GONOSUMDB=$(go env GONOSUMDB),$module
export GONOSUMDB
cd "$tmp/sample"
must with_gitconfig env GOMODCACHE="$tmp/vcs" GOPROXY=direct go mod download "$module@v0.0.1" "$module@v0.0.2"
nested=$(find "$tmp/vcs/$module@v0.0.1" -mindepth 2 -name go.mod)
[[ -z $nested ]] || fail "the module holds other modules:" "$nested"
export GOPROXY="file://$tmp/vcs/cache/download,$proxies"
ok

# What a module's go.mod requires, direct or not.
requires() { (cd "$tmp/$1" && go mod edit -print) | awk '
	$1 == ")" { block = 0 }
	block { print $1, $2 }
	$1 == "require" && $2 == "(" { block = 1 }
	$1 == "require" && $2 != "(" { print $2, $3 }' | sort; }
# consume NAME GET: a module with the file of the directory NAME, as a user would make it. Our go.sum saves questions
# to the checksum database; it selects no version, and tidy drops what the module does not need.
consume() {
	cd "$tmp/$1"
	cp "$root/go.sum" .
	must go mod init "example.com/$1"
	must go get "$2"
	must go mod tidy
	must go build ./...
	must go vet ./...
}
consume sample "$module@v0.0.1"
ok

cp "$tmp/sample/service.go" "$tmp/control/service.go"
printf '%s\n' 'package main' "import _ \"$pgx\"" "import _ \"$pgx/pgxpool\"" 'func main() {}' >"$tmp/pgxonly/main.go"
version=$(requires sample | awk -v pgx="$pgx" '$1 == pgx { print $2 }')
[[ -n $version ]] || fail "the consumer's go.mod does not require $pgx:" "$(requires sample)"
consume pgxonly "$pgx@$version"
consume control "$module@v0.0.2"

# By path: a version may be higher, where this module's own go.mod asks for it.
{ echo "$module" && requires pgxonly | cut -d ' ' -f 1; } | sort >"$tmp/expected"
modules() { requires "$1" | cut -d ' ' -f 1 | diff "$tmp/expected" -; }
foreign() { (cd "$tmp/$1" && go list -deps ./...) | awk '/^github\.com\/(golang-migrate|sqlc-dev|google\/go-cmp)\//'; }

out=$(modules sample) || fail "the consumer's go.mod is not authdb, pgx and pgx's own (< expected, > found):" "$out"
ok
out=$(foreign sample)
[[ -z $out ]] || fail "the consumer compiles packages of the migrations, sqlc or the tests:" "$out"
ok
if out=$(modules control); then fail "control: a dependency more is not noticed in go.mod"; fi
[[ $out == *"> $migrate"* ]] || fail "control: go.mod differs, but not by $migrate:" "$out"
ok
out=$(foreign control)
[[ $out == *"$migrate"* ]] || fail "control: $migrate is not noticed among the packages:" "$out"
ok

# Without the checksum database, which would be asked for every module again: go.sum is compared here.
cd "$tmp/repo"
must go mod download
must env GOSUMDB=off GOBIN="$tmp/bin" go install "$module/cmd/migrate@v0.0.1"
out=$("$tmp/bin/migrate" -h 2>&1) || fail "migrate -h: exit status $?:" "$out"
[[ $out == *"usage: migrate VERB"* ]] || fail "migrate -h does not print its usage:" "$out"
ok

echo "consumer: go.mod requires"
requires sample | sed 's/^/    /'
echo "consumer: $checks checks"
