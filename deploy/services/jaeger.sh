# shellcheck shell=bash
# Jaeger: an OTLP receiver with a query API, built from its Go module (without
# its web page), keeping traces in memory.

jaeger_key() {
	local sum
	sum=$(sha256sum <<<"$JAEGER_MODULE $JAEGER_SUM")
	echo "$JAEGER_VERSION-${sum:0:12}"
}

jaeger_binary() { echo "$base/jaeger-$(jaeger_key)"; }

# fetch_jaeger builds in a copy of the module: installing it from outside fails
# on its replace directives, and the module cache is read-only.
fetch_jaeger() {
	local binary tmp module
	binary=$(jaeger_binary)
	[ ! -x "$binary" ] || return 0
	tmp=$(mktemp -d "$base/tmp.XXXXXX")
	log "building Jaeger $JAEGER_VERSION, some minutes once"
	module=$(cd "$tmp" && GOFLAGS='' GOWORK=off go mod download -json "$JAEGER_MODULE") ||
		die "could not fetch $JAEGER_MODULE: $module"
	[ "$(module_field Sum <<<"$module")" = "$JAEGER_SUM" ] ||
		die "$JAEGER_MODULE has sum $(module_field Sum <<<"$module"), versions says $JAEGER_SUM"
	cp -r "$(module_field Dir <<<"$module")" "$tmp/source"
	chmod -R u+w "$tmp/source"
	GOFLAGS='' GOWORK=off CGO_ENABLED=0 go build -C "$tmp/source" -buildvcs=false -trimpath -ldflags '-s -w' \
		-o "$tmp/jaeger" ./cmd/all-in-one >"$tmp/build.log" 2>&1 || die "could not build Jaeger: $(tail -n 20 "$tmp/build.log")"
	mv -T "$tmp/jaeger" "$binary"
	rm -rf "$tmp"
}

module_field() { sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p"; }

# start_jaeger gives an address to each of its listeners: by default they are on
# every interface. Port 0 is for those that nothing here speaks to.
start_jaeger() { # DIR
	local port unused=127.0.0.1:0
	for port in grpc http query admin; do
		free_port >"$1/$port.port"
	done
	give_away "$1"
	start_detached "$1" env SPAN_STORAGE_TYPE=memory "$(jaeger_binary)" \
		--memory.max-traces 20000 \
		--collector.otlp.grpc.host-port "127.0.0.1:$(cat "$1/grpc.port")" \
		--collector.otlp.http.host-port "127.0.0.1:$(cat "$1/http.port")" \
		--query.http-server.host-port "127.0.0.1:$(cat "$1/query.port")" \
		--admin.http.host-port "127.0.0.1:$(cat "$1/admin.port")" \
		--query.grpc-server.host-port "$unused" \
		--collector.grpc-server.host-port "$unused" \
		--collector.http-server.host-port "$unused"
}

jaeger_healthy() { # DIR
	listens "$1" "$(cat "$1/grpc.port")" && listens "$1" "$(cat "$1/http.port")" &&
		http_ok "$1" "$(cat "$1/admin.port")" / && http_ok "$1" "$(cat "$1/query.port")" /api/services
}

jaeger_lines() { # DIR
	echo "SCOPEGATE_TEST_OTLP_GRPC=http://127.0.0.1:$(cat "$1/grpc.port")"
	echo "SCOPEGATE_TEST_OTLP_HTTP=http://127.0.0.1:$(cat "$1/http.port")"
	echo "SCOPEGATE_TEST_JAEGER=http://127.0.0.1:$(cat "$1/query.port")"
}
