#!/bin/bash
# The tests in a browser, against the installed package: tests/browser/README.md. Arguments: names of scenarios, to
# run only those. Where something is missing that "tools/install-deps.sh browser" installs, they are skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tools/env.sh
export TASKQ_BUILD=$BUILD

skip() {
  echo "Skipped: $1"
  echo "To install it: tools/install-deps.sh browser"
  echo "0 0 1" >"${COUNTS:-/dev/stderr}"
  exit 0
}

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser)} || skip "there is no Chromium."
export CHROMIUM
node=$(command -v node || command -v nodejs) || skip "there is no Node.js."
"$node" -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || skip "Node.js is older than 18."
if ! cmp -s tests/browser/package-lock.json "$BUILD/browser/package-lock.json" ||
  [[ ! -d $BUILD/browser/node_modules/playwright-core ]]; then
  skip "there is no playwright-core, or another version of it."
fi
Rscript --no-init-file -e 'quit(status = !requireNamespace("shiny", quietly = TRUE))' || skip "there is no shiny."

exec "$node" tests/browser/run.mjs "$@"
