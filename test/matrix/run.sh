#!/usr/bin/env bash
# Calls every method once under hostile settings, in each exec mode, on each server and as each kind of user, and
# compares what is stored. servers="local download-14" takes some. As another user than root, that is the only one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

read -ra servers <<<"${servers:-local download-14 download-16 download-17 download}"
users=(me)
((EUID)) || users=(me nobody nameless)

work=$(mktemp -d "${TMPDIR:-/tmp}/authdb-matrix-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
go build -o "$work/withpg" ./internal/pgserver/withpg
go test -c -o "$work/authdb.test" ./test/plans
cd "$work"

# as runs a command as one of the users, with nothing of root's environment.
as() {
	case $1 in
	me) "${@:2}" ;;
	nobody) setpriv --reuid nobody --regid nogroup --clear-groups env -i PATH="$PATH" "${@:2}" ;;
	nameless) setpriv --reuid 1234567 --regid 1234567 --clear-groups env -i PATH="$PATH" HOME=/ "${@:2}" ;;
	esac
}

# where prints the variables that name a server. What root has downloaded, others need not download again.
where() {
	local version=${2#download}
	version=${version:--18}
	if [[ $1 == me || $2 == local ]]; then
		echo "AUTHDB_POSTGRES=$2"
		return
	fi
	echo AUTHDB_POSTGRES=local
	echo "PGBIN=$(echo /var/tmp/authdb-postgres/postgresql-"${version#-}"*/bin)"
}

first=
for server in "${servers[@]}"; do
	for user in "${users[@]}"; do
		mapfile -t vars < <(where "$user" "$server")
		begin=$SECONDS
		if ! as "$user" env "${vars[@]}" ./withpg -- ./authdb.test -test.v -test.timeout 10m \
			-test.run '^(TestHostileSettings|TestZonedColumns)$' >log 2>&1; then
			cat log
			echo "test/matrix: $server as $user fails" >&2
			exit 1
		fi
		rows=$(sed -n 's/.*walk_test.go:[0-9]*: //p' log)
		printf '%-12s %-9s %-6s %s (%s s)\n' "$server" "$user" "$(sed -n 's/^withpg: PostgreSQL \([^ ]*\).*/\1/p' log)" \
			"$rows" $((SECONDS - begin))
		if [[ ${first:=$rows} != "$rows" || ! $rows ]]; then
			echo "test/matrix: other rows are stored" >&2
			exit 1
		fi
	done
done
