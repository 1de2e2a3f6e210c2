#!/bin/bash
# Runs every test there is, one step after the other, also when one fails.
# The last line is "N passed, N failed, N skipped"; status 1 if any failed.
#
# A step that knows better writes "passed failed skipped" to the file $COUNTS;
# any other step counts as one test. Arguments: names of steps, to run only
# those (after "install", most of them work alone).
set -u
# In the background a shell has its commands ignore Ctrl-C, which tests send: R
# from 4.5 on then ignores it, too.
if [[ -z ${TASKQ_SIGNALS_RESET:-} ]] && env --default-signal=INT,QUIT true 2>/dev/null; then
  TASKQ_SIGNALS_RESET=1 exec env --default-signal=INT,QUIT "$0" "$@"
fi
unset TASKQ_SIGNALS_RESET
cd "$(dirname "$0")/.." || exit 1
. tools/env.sh
logs=$BUILD/test
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0
failures=()
times=()
only=("$@")

# step <name> <seconds> <command...>
step() {
  local name=$1 limit=$2 status=0 p f s start=$SECONDS
  shift 2
  if ((${#only[@]})) && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
  export COUNTS=$logs/$name.counts
  printf '\n=== %s\n' "$name"
  timeout --kill-after=10 "$limit" "$@" </dev/null 2>&1 | tee "$logs/$name.log"
  status=${PIPESTATUS[0]}
  p=0 f=0 s=0
  if [[ -s $COUNTS ]]; then
    read -r p f s <"$COUNTS"
    ((status != 0 && f == 0)) && f=1
  elif ((status == 0)); then
    p=1
  else
    f=1
  fi
  ((SECONDS - start >= limit)) && echo "Stopped after $limit s." | tee -a "$logs/$name.log"
  ((passed += p, failed += f, skipped += s))
  ((f)) && failures+=("$name")
  printf -- '--- %s: %d passed, %d failed, %d skipped (%d s)\n' \
    "$name" "$p" "$f" "$s" $((SECONDS - start))
  times+=("$(printf '%-14s %5d s' "$name" $((SECONDS - start)))")
}

# What the log of a failed step says of the reason: last in the output, where even its last lines alone tell.
reason() {
  local faults='^ *── (Failure|Error)|^error(\[|:)|^test .* FAILED$|panicked at|^\* checking .*(ERROR|WARNING|NOTE)$'
  faults+='|^(Error|not ok|FAULT|VIOLATION|Left behind|Stopped after)'
  grep -E -A 3 -e "$faults" "$logs/$1.log" | grep -v '^--$' | cut -c 1-160 | tail -n 12
}

step dependencies 900 sh -c 'tools/install-deps.sh test && tools/install-deps.sh browser'

# What runs below can be recognised by this variable, and puts its files here.
TASKQ_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/tq-XXXXXX")
# A test runs as another user.
chmod 755 "$TASKQ_TEST_RUN"
trap 'rm -rf "$TASKQ_TEST_RUN"' EXIT
export TASKQ_TEST_RUN TMPDIR=$TASKQ_TEST_RUN
export LC_ALL=C.UTF-8
tools/test/leftovers.sh before >"$logs/before"

manifest=src/rust/Cargo.toml
step format 60 cargo fmt --manifest-path "$manifest" --all --check
step style 600 tools/test/style.sh
step licences 60 tools/test/licences.sh
step core-alone 60 tools/test/core-alone.sh
step rust 1200 tools/test/rust.sh
step lint 600 cargo clippy --manifest-path "$manifest" --workspace --all-targets -- -D warnings
step doc 300 env RUSTDOCFLAGS=-Dwarnings cargo doc --manifest-path "$manifest" --workspace --no-deps \
  --document-private-items
step install 600 tools/install.sh
step symbols 60 tools/test/symbols.sh
step drift 120 tools/test/drift.sh
step testthat 1500 Rscript tools/test/testthat.R
step browser 600 tools/test/browser.sh
step chaos 240 Rscript tests/chaos/chaos.R --seconds 60 --seed "${CHAOS_SEED:-1}"
step check 1500 tools/test/check.sh
step leftovers 60 tools/test/leftovers.sh after "$logs/before"

printf '\nHow long each step took:\n'
printf '%s\n' "${times[@]}" "$(printf '%-14s %5d s' all $SECONDS)"
for name in "${failures[@]}"; do
  printf '%s failed:\n' "$name"
  reason "$name"
done
((failed)) && echo "Failed: ${failures[*]} (logs in build/test)"
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/summary"
((failed == 0))
