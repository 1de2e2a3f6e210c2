#!/bin/bash
# How the sources are written, as far as programs can tell: C by clang-format and what the compiler warns of, JavaScript
# by ESLint, scripts by shellcheck, R code by lintr, comments and documents by a program of ours. (Rust has steps of its
# own, "format" and "lint".)
set -u
cd "$(dirname "$0")/../.." || exit 1
. tools/env.sh
passed=0 failed=0 skipped=0

check() {
  if "$@"; then ((passed += 1)); else ((failed += 1)); fi
}

mapfile -t scripts < <(grep -rlE --exclude-dir=build --exclude-dir=target '^#!/bin/(ba)?sh' .ci tools configure cleanup)
# A routine that R registers, or a function of another package, has the type of none in particular.
compile_c() {
  local flags
  flags="$(R CMD config --cppflags) -std=gnu11 -Wall -Wextra -Werror -Wno-cast-function-type -fsyntax-only"
  # shellcheck disable=SC2086 # more than one flag
  for file in src/*.c; do ${CC:-cc} $flags "$file" || return 1; done
}

# check_with <program> <its arguments...>: skipped where there is no such program.
check_with() {
  if command -v "$1" >/dev/null; then
    check "$@"
  else
    echo "Skipped: there is no ${1##*/} (tools/install-deps.sh test, and browser)."
    ((skipped += 1))
  fi
}

check compile_c
check_with clang-format-14 --dry-run -Werror src/*.[ch]
TASKQ_BUILD=$BUILD check_with "$BUILD/browser/node_modules/.bin/eslint" --config tests/browser/eslint.config.mjs \
  inst pkgdown tests/browser
check shellcheck --external-sources "${scripts[@]}"
check Rscript --no-init-file tools/test/lint-r.R
check Rscript --no-init-file tools/test/text.R
check Rscript --no-init-file tools/test/r-calls.R
echo "$passed $failed $skipped" >"${COUNTS:-/dev/stderr}"
((failed == 0))
