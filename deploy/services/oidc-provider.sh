# shellcheck shell=bash
# oidc-provider: a certified OpenID provider, from npm by the sums of its
# package-lock.json. Tests start it themselves, each its own.

oidc_provider_key() {
	local parts
	parts=$(cd "$here/oidc-provider" && sha256sum package.json package-lock.json server.js | sha256sum)
	echo "${parts:0:12}"
}

oidc_provider_home() { echo "$base/oidc-provider-$(oidc_provider_key)"; }

fetch_oidc_provider() {
	local home tmp major
	home=$(oidc_provider_home)
	[ ! -d "$home" ] || return 0
	major=$(node --version | sed -n 's/^v\([0-9]*\)\..*/\1/p')
	[ "${major:-0}" -ge "$NODE_MAJOR" ] || die "needs Node $NODE_MAJOR or newer; node is ${major:-of an unknown version}"
	tmp=$(mktemp -d "$base/tmp.XXXXXX")
	log "fetching oidc-provider"
	cp "$here"/oidc-provider/* "$tmp"
	(cd "$tmp" && timeout 300 npm ci --omit=dev --ignore-scripts --no-audit --no-fund >"$tmp/npm.log" 2>&1) ||
		die "could not fetch oidc-provider: $(tail -n 20 "$tmp/npm.log")"
	chmod -R a+rX "$tmp"
	mv -T "$tmp" "$home"
}

oidc_provider_lines() { echo "SCOPEGATE_TEST_OIDC_PROVIDER=$(oidc_provider_home)/server.js"; }
