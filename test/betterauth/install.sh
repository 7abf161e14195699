# shellcheck shell=bash
# Installs what server.mjs needs, for run.sh and examples/run.sh, which run it in this directory.
install() {
	if ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock"; then
		npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
		cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
	fi
}
install .
install apikeys
for version in 1.5 1.6 1.7; do # each plugin with the server of its version
	ln -sfn "../../../node_modules/better-auth-$version/node_modules" "apikeys/node_modules/api-key-$version/node_modules"
	ln -sfn .. "node_modules/better-auth-$version/node_modules/better-auth"
done
cp ../../db/migrations/drizzle.ts node_modules/schema.mjs # which has nothing of TypeScript but its name
