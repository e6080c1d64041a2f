# shellcheck shell=bash
# What up, down and fetch share: where things are, who runs them, and processes
# that are started detached and found again by pid.

[ "$(uname -s)" = Linux ] || {
	echo "make services runs on Linux; elsewhere bring Elasticsearch, Redis and Jaeger up with docker compose." >&2
	exit 1
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/services/versions
. "$here/versions"
umask 022

# One cache and one set of services for each user, shared by their checkouts: a
# second Elasticsearch costs another 1.5 GB of memory. Root's services run as
# another user, who may not look into root's home.
if [ "$(id -u)" -eq 0 ]; then
	base=/var/cache/scopegate/services
else
	base=${XDG_CACHE_HOME:-$HOME/.cache}/scopegate/services
fi
run=$base/run
service_user=scopegate-services

log() { echo "services: $*" >&2; }

die() {
	log "$*"
	exit 1
}

# hold_lock runs the script again under the lock of this user's services.
# --close keeps the lock from the services, which outlive the script.
hold_lock() {
	[ "${SCOPEGATE_SERVICES_LOCK:-}" != "$base/lock" ] || return 0
	mkdir -p "$base" || die "cannot write to $base"
	flock --nonblock "$base/lock" true || log "waiting for another make services to end"
	SCOPEGATE_SERVICES_LOCK=$base/lock exec flock --close --timeout 1800 "$base/lock" "$here/${0##*/}" "$@"
}

# memory_folder prints a folder of a file system in memory that has 8 GiB free and
# may hold programs, or nothing. Tests make hundreds of indices and databases,
# each of which waits for the disk many times.
memory_folder() {
	local free probe
	free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) || return 0
	[ "${free:-0}" -ge $((8 << 20)) ] || return 0
	probe=$(mktemp -p /dev/shm 2>/dev/null) || return 0
	printf '#!/bin/sh\necho /dev/shm\n' >"$probe"
	chmod 700 "$probe"
	"$probe" 2>/dev/null || true
	rm -f "$probe"
}

# data_folder DIR makes the folder of a service's data: DIR/data, or a link to one
# in memory where SCOPEGATE_SERVICES_DATA is "memory" and there is room.
data_folder() {
	local memory=
	[ "${SCOPEGATE_SERVICES_DATA:-disk}" != memory ] || memory=$(memory_folder)
	if [ -z "$memory" ]; then
		mkdir "$1/data"
		return
	fi
	memory=$(mktemp -d "$memory/scopegate-services.XXXXXX")
	give_away "$memory"
	ln -s "$memory" "$1/data"
}

# discard removes the folder of a service that has ended, and its data.
discard() { # DIR
	[ ! -L "$1/data" ] || rm -rf "$(readlink "$1/data")"
	rm -rf "$1"
}

# install_commands COMMAND:PACKAGE… installs the packages whose command is missing.
install_commands() {
	local pair missing=() as_root=()
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "needs ${missing[*]}; install them with this system's package manager"
	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo -n)
		sudo -n true 2>/dev/null || die "needs ${missing[*]}; install them, or run this as a user who may (sudo)"
	fi
	log "installing ${missing[*]}"
	"${as_root[@]}" apt-get update -qq >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
		install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# unprivileged runs a command as the services' user: Elasticsearch refuses root,
# and the others have no need of it.
unprivileged() {
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --reuid "$service_user" --regid "$service_user" --clear-groups --no-new-privs "$@"
	fi
	exec "$@"
}

make_service_user() {
	[ "$(id -u)" -eq 0 ] || return 0
	id "$service_user" >/dev/null 2>&1 ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$service_user"
}

# give_away makes the services' user the owner of a service's folder.
give_away() { [ "$(id -u)" -ne 0 ] || chown -R "$service_user:$service_user" "$1"; }

# free_port prints a port that no socket of this machine has, from below the
# range that outgoing connections take theirs from. A start that loses the race
# for it is tried again with another.
free_port() {
	local port
	for _ in {1..100}; do
		port=$((20000 + RANDOM % 12000))
		grep -qsi "$(printf ':%04X ' "$port")" /proc/net/tcp /proc/net/tcp6 || {
			echo "$port"
			return
		}
	done
	die "found no free port between 20000 and 32000"
}

# listens DIR PORT tells whether it is the service that has the port: another
# process may have got it first, and answer as well.
listens() {
	local inode socket pid
	inode=$(awk -v port="$(printf ':%04X' "$2")" \
		'$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6)
	[ -n "$inode" ] || return 1
	socket=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null)
	pid=${socket#/proc/}
	is_of "$1" "${pid%%/*}"
}

# first_line DIR PORT TEXT sends the text to the service and prints the first
# line of its answer.
first_line() {
	listens "$1" "$2" || return 1
	# shellcheck disable=SC2016 # the inner shell's own
	timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "$1" >&3 && IFS= read -r line <&3 && echo "$line"' "$2" "$3" 2>/dev/null
}

# http_ok DIR PORT PATH succeeds when GET answers 200.
http_ok() {
	[[ $(first_line "$1" "$2" "GET $3 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") == *' 200 '* ]]
}

# start_detached DIR COMMAND… starts a service in a session of its own, its
# output in DIR/log. The variable tells its process from another that got the
# same pid later.
start_detached() {
	local dir=$1
	shift
	(
		cd "$dir" || exit
		export SCOPEGATE_SERVICE=$dir HOME=$dir
		unprivileged setsid "$@"
	) </dev/null >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	# Until it runs its command it has the environment of this script.
	until is_running "$dir" || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
}

is_of() { grep -qszxF "SCOPEGATE_SERVICE=$1" "/proc/$2/environ"; } # DIR PID

is_running() { # DIR
	local pid
	pid=$(cat "$1/pid" 2>/dev/null) && [ -n "$pid" ] && is_of "$1" "$pid"
}

# stop ends a service and what it started; one that is not running is fine.
stop() { # DIR
	local pid
	if is_running "$1"; then
		pid=$(cat "$1/pid")
		kill -TERM "$pid" 2>/dev/null || true
		for _ in {1..300}; do
			is_running "$1" || break
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null || true
	fi
	rm -f "$1/pid"
}
