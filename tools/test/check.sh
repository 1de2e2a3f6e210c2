#!/bin/bash
# R CMD build and R CMD check, as strict as tools/test/check.Renviron says.
# Anything but "Status: OK" fails, except where all that R notes is that BiocParallel is not there: it is left to who
# wants its tests to run (tools/install-deps.sh).
set -eu
. tools/env.sh
unset NOT_CRAN # long tests are skipped, as on CRAN
export R_CHECK_ENVIRON=$ROOT/tools/test/check.Renviron

work=$BUILD/check
rm -rf "$work"
tools/stage.sh "$work/taskq"
cd "$work"
R CMD build taskq
R CMD check --no-manual taskq_*.tar.gz
log=taskq.Rcheck/00check.log
absent="Package suggested but not available for checking: ‘BiocParallel’"
if ! grep -qx 'Status: OK' $log && ! { grep -qx 'Status: 1 NOTE' $log && grep -qxF "$absent" $log; }; then
  tail -n 60 taskq.Rcheck/00install.out
  # Of what ran and failed: the tests' failures, and where an example or a vignette came to.
  for output in taskq.Rcheck/tests/*.fail taskq.Rcheck/*.fail taskq.Rcheck/*.log; do
    [[ -e $output && $output != */00check.log ]] || continue
    printf '\n--- %s\n' "${output##*/}"
    grep -E -A 20 '^ *── (Failure|Error)' "$output" || tail -n 30 "$output"
  done
  exit 1
fi
