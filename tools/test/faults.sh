#!/bin/bash
# Shows that the tests of promises notice when a promise is broken: builds the package with faults that can be switched
# on (src/rust/crates/taskq-sys/src/fault.rs), and runs for each fault the tests that must fail by it. On demand; not
# part of the other tests. Arguments: names of faults, to try only those.
#
# A library that was installed with TASKQ_FEATURES=failpoints can be given as FAULTS_LIBRARY; nothing is built then.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tools/env.sh

# fault                test files (a regular expression)    the test that must fail (a part of its name)
table='
begin-not-noted        promise-crash                        B2, B3, B4, B12
die-before-result      queue-submit                         arguments come as values
late-interrupt         promise-time                         D3
late-parent-death      processes                            C1, C2
leave-descendants      queue-control                        takes children of tasks along
leave-session-dir      promise-crash                        B2, B3, B4, B12
leave-zygote           zygote                               the last one ends the zygote
no-kill                promise-time                         D2
one-phase-pop          processes                            E1
save-workspace         promise-signals                      B1: each signal to a busy worker
use-standard           promise-limits                       J5, J9
'

library=${FAULTS_LIBRARY:-$BUILD/faults}
if [[ -z ${FAULTS_LIBRARY:-} ]]; then
  mkdir -p "$library"
  tools/stage.sh "$BUILD/faults-source" || exit 1
  TASKQ_FEATURES=failpoints TASKQ_CARGO_TARGET=$BUILD/faults-target \
    R CMD INSTALL --no-multiarch --no-lock --library="$library" "$BUILD/faults-source" || exit 1
fi
export R_LIBS=$library${R_LIBS:+:$R_LIBS} NOT_CRAN=true
TASKQ_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/tq-XXXXXX")
export TASKQ_TEST_RUN TMPDIR=$TASKQ_TEST_RUN

# What a broken promise leaves behind, by the marker in its environment.
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  local environment
  grep -lszxF "TASKQ_TEST_RUN=$TASKQ_TEST_RUN" /proc/[0-9]*/environ 2>/dev/null | while read -r environment; do
    environment=${environment%/environ}
    [[ ${environment#/proc/} == "$$" ]] || kill -KILL "${environment#/proc/}" 2>/dev/null
  done
  rm -rf "$TASKQ_TEST_RUN"
}
trap clean_up EXIT

# run <fault> <files> <test>: "red" when tests of that name ran and one of them failed, "green" when none did.
run() {
  local verdict=$TASKQ_TEST_RUN/verdict
  # A host that is taken down is a failure, too.
  echo red >"$verdict"
  # shellcheck disable=SC2016 # it is R that is to read the dollars
  TASKQ_FAIL=$1 VERDICT=$verdict timeout -k 5 300 Rscript -e '
    args <- commandArgs(TRUE)
    reporter <- testthat::ListReporter$new()
    testthat::test_dir("tests/testthat", package = "taskq", load_package = "installed", filter = args[[1]],
      reporter = testthat::MultiReporter$new(list(reporter, testthat::CheckReporter$new())),
      stop_on_failure = FALSE)
    source("tools/test/results.R")
    results <- table_of_results(reporter$get_results())
    mine <- results[grepl(args[[2]], results$test), ]
    red <- any(mine$failed > 0 | mine$error)
    verdict <- if (!nrow(mine) || all(mine$skipped)) "none" else if (red) "red" else "green"
    writeLines(verdict, Sys.getenv("VERDICT"))
  ' "$2" "$3" </dev/null >"$BUILD/faults.log" 2>&1 || echo "status $?" >>"$BUILD/faults.log"
  cat "$verdict"
}

status=0
while read -r fault files test; do
  [[ -z $fault ]] && continue
  if (($#)) && [[ " $* " != *" $fault "* ]]; then continue; fi
  without=$(run "" "$files" "$test")
  with=$(run "$fault" "$files" "$test")
  printf '%-20s %-34s without: %-6s with: %s\n' "$fault" "$test" "$without" "$with"
  [[ $without == green && $with == red ]] || status=1
done <<<"$table"

# A3 at its two edges: the last byte of the result decides.
edge() {
  # shellcheck disable=SC2016
  TASKQ_FAIL=$1 timeout -k 5 60 Rscript -e '
    q <- taskq::task_q$new(1)
    for (i in 1:5) q$push(function(i) i, list(i))
    cat(replicate(5, q$pop(20000)$status))' 2>/dev/null
}
if ! (($#)); then
  before=$(edge die-before-result)
  after=$(edge die-after-result)
  printf 'A3, killed before the last byte: %s\nA3, killed after the last byte:  %s\n' "$before" "$after"
  [[ $before == "crash crash crash crash crash" ]] || status=1
  [[ $after == "success success success success success" ]] || status=1
fi
exit "$status"
