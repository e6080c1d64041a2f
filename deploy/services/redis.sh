# shellcheck shell=bash
# Redis: the system's redis-server, keeping nothing on disk.

redis_key() { echo "$REDIS_MAJOR"; }

fetch_redis() {
	local version
	version=$(redis-server --version | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
	[ "${version:-0}" -ge "$REDIS_MAJOR" ] || die "needs Redis $REDIS_MAJOR or newer; redis-server is ${version:-of an unknown version}"
}

start_redis() { # DIR
	free_port >"$1/port"
	give_away "$1"
	# Its own process title would overwrite the environment it is known by.
	start_detached "$1" redis-server --bind 127.0.0.1 --port "$(cat "$1/port")" \
		--dir "$1" --save '' --appendonly no --set-proc-title no
}

redis_healthy() { # DIR
	[[ $(first_line "$1" "$(cat "$1/port")" 'PING\r\n') == +PONG* ]]
}

redis_lines() { # DIR
	echo "SCOPEGATE_TEST_REDIS=redis://127.0.0.1:$(cat "$1/port")"
}
