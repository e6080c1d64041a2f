#!/bin/sh
# Replaces the vendored Swagger UI by another release from the npm registry:
#   gateway/docspage/update.sh 5.35.0
# Look at /docs in a browser afterwards, and write the version into README.md.
set -eu
version=${1:?usage: update.sh VERSION}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "swagger-ui-dist@$version" >/dev/null
tar -xzf "swagger-ui-dist-$version.tgz"
for file in LICENSE NOTICE swagger-ui.css swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt; do
	# The source maps are not vendored: a browser's tools would ask for them in vain.
	sed '/sourceMappingURL=/d' "package/$file" >"$here/swagger-ui/$file"
done
