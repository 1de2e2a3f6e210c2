#!/bin/sh
# The documentation site, in build/site: needs nothing from the network, and nothing in it comes from elsewhere. Fails
# when an example or an article fails, or when a link inside the site leads nowhere. The package must be installed in
# build/library.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
tools/stage.sh "$BUILD/site-sources"
rm -rf "$BUILD/site"
# pkgdown asks other sites for what they document, which can wait for long where there is no network.
for proxy in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do export "$proxy=http://127.0.0.1:9"; done
export no_proxy=127.0.0.1,localhost LC_ALL=C.UTF-8
Rscript tools/site.R "$BUILD/site-sources" "$BUILD/site"
Rscript tools/site-check.R "$BUILD/site"
rm -rf "$BUILD/site-sources"
echo "The site is in $BUILD/site: open index.html."
