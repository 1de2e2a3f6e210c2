#!/bin/bash
# How the sources are written, as far as programs can tell: scripts by shellcheck, R code by lintr, comments and
# documents by a program of ours. (Rust has steps of its own, "format" and "lint".)
set -u
cd "$(dirname "$0")/../.." || exit 1
. tools/env.sh
passed=0 failed=0

check() {
  if "$@"; then ((passed += 1)); else ((failed += 1)); fi
}

mapfile -t scripts < <(grep -rlE --exclude-dir=build --exclude-dir=target '^#!/bin/(ba)?sh' .ci tools configure cleanup)
check shellcheck --external-sources "${scripts[@]}"
check Rscript --no-init-file tools/test/lint-r.R
check Rscript --no-init-file tools/test/text.R
echo "$passed $failed 0" >"${COUNTS:-/dev/stderr}"
((failed == 0))
