# shellcheck shell=bash
# Elasticsearch: fetched from Maven Central, run by a Java 17 or newer.

elasticsearch_key() {
	local parts
	parts=$(sha256sum <<<"$ES_SERVER_SHA256 $ES_MODULES_SHA256 ${ES_MODULES[*]}")
	echo "$ES_VERSION-${parts:0:12}"
}

elasticsearch_home() { echo "$base/elasticsearch-$(elasticsearch_key)"; }

# maven_get ARTIFACT SHA256 FOLDER leaves the artefact's zip below FOLDER, which
# is Maven's repository for the while, and prints its path. The user's own
# repository would keep a gigabyte that nothing reads again.
maven_get() {
	local group name version file attempt
	IFS=: read -r group name version <<<"$1"
	file=$3/${group//.//}/$name/$version/$name-$version.zip
	log "fetching $1"
	for attempt in 1 2 3; do
		timeout 900 mvn -q -B "-Dmaven.repo.local=$3" "$MAVEN_DEPENDENCY_PLUGIN:get" \
			"-Dartifact=$1:zip" -Dtransitive=false >"$3.log" 2>&1 && break
		[ "$attempt" -lt 3 ] || die "could not fetch $1: $(tail -n 20 "$3.log")"
	done
	echo "$2  $file" | sha256sum --check --status || die "$1 has SHA-256 $(sha256sum <"$file" | cut -d" " -f1), versions says $2"
	echo "$file"
}

fetch_elasticsearch() {
	local home tmp server modules module wanted=()
	home=$(elasticsearch_home)
	[ ! -d "$home" ] || return 0
	tmp=$(mktemp -d "$base/tmp.XXXXXX")
	server=$(maven_get "$ES_SERVER" "$ES_SERVER_SHA256" "$tmp/maven")
	unzip -q "$server" -d "$tmp"
	modules=$(maven_get "$ES_MODULES_FROM" "$ES_MODULES_SHA256" "$tmp/maven")
	for module in "${ES_MODULES[@]}"; do
		wanted+=("*/elasticsearch/modules/$module/*")
	done
	unzip -q "$modules" "${wanted[@]}" -d "$tmp/modules"
	mv "$tmp"/modules/*/elasticsearch/modules/* "$tmp/elasticsearch-$ES_VERSION/modules/"
	mkdir -p "$tmp/elasticsearch-$ES_VERSION/plugins"
	chmod -R a+rX "$tmp/elasticsearch-$ES_VERSION"
	mv -T "$tmp/elasticsearch-$ES_VERSION" "$home"
	rm -rf "$tmp"
}

# java_home prints the first Java 17 or newer that the services' user may run.
java_home() {
	local home version
	for home in "${ES_JAVA_HOME:-}" "${JAVA_HOME:-}" "$(readlink -f "$(command -v java)")" /usr/lib/jvm/default-java; do
		home=${home%/bin/java}
		[ -n "$home" ] && [ -x "$home/bin/java" ] || continue
		version=$(unprivileged "$home/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || continue
		[ "${version:-0}" -lt 17 ] || {
			echo "$home"
			return
		}
	done
	die "needs Java 17 or newer that the user $service_user may run; set ES_JAVA_HOME to its folder"
}

start_elasticsearch() { # DIR
	local home java transport heap=${SCOPEGATE_SERVICES_HEAP:-1g}
	home=$(elasticsearch_home)
	java=$(java_home)
	transport=$(free_port)
	free_port >"$1/port"
	data_folder "$1"
	mkdir "$1/logs" "$1/tmp"
	cp -r "$home/config" "$1/config"
	cat "$here/../elasticsearch/elasticsearch.yml" - >"$1/config/elasticsearch.yml" <<-EOF
		network.host: 127.0.0.1
		http.port: $(cat "$1/port")
		transport.port: $transport
		path.data: $(realpath "$1/data")
		path.logs: $1/logs
	EOF
	give_away "$1"
	ulimit -Sn "$(ulimit -Hn)"
	start_detached "$1" env ES_JAVA_HOME="$java" ES_PATH_CONF="$1/config" ES_TMPDIR="$1/tmp" \
		ES_JAVA_OPTS="-Xms$heap -Xmx$heap" "$home/bin/elasticsearch"
}

elasticsearch_healthy() { # DIR
	http_ok "$1" "$(cat "$1/port")" '/_cluster/health?wait_for_status=yellow&timeout=2s'
}

elasticsearch_lines() { # DIR
	echo "SCOPEGATE_TEST_ELASTICSEARCH=http://127.0.0.1:$(cat "$1/port")"
}
