#!/bin/bash
# On demand: looks for errors of memory. The crates' tests run with AddressSanitizer, the R tests of what C and Rust do
# with R's memory under valgrind, in the user's session and in inline queues: sessions run outside of it, as ever.
# Arguments: "crates" or "boundary", for one of the two only.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tools/env.sh
work=$BUILD/memory
mkdir -p "$work"
parts=("$@")
((${#parts[@]})) || parts=(crates boundary)
passed=0 failed=0 skipped=0

# The sanitizer comes with every toolchain, its switch only with unstable ones, or by this variable. It takes up address
# space without end, so the test that limits that space is left out.
crates() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" RUSTDOCFLAGS=-Zsanitizer=address \
    CARGO_TARGET_DIR=$work/target ASAN_OPTIONS=detect_leaks=0 \
    cargo test --manifest-path src/rust/Cargo.toml --target "$host" --workspace --exclude taskq --no-fail-fast \
    -- --skip a_task_whose_result_the_host_cannot_take >"$work/crates.log" 2>&1
  if ! read -r passed failed skipped < <(tools/test/cargo-counts.sh "$work/crates.log"); then failed=1; fi
  echo "crates, AddressSanitizer: $passed tests passed, $failed failed, $skipped skipped," \
    "$(grep -c 'ERROR: AddressSanitizer' "$work/crates.log") errors of memory"
  grep -A 20 'ERROR: AddressSanitizer' "$work/crates.log" | head -n 60
  ! grep -q 'ERROR: AddressSanitizer' "$work/crates.log" && ((failed == 0))
}

# What R itself does is not ours: an error counts where a frame of taskq comes before those of R. Leaks are not looked
# for, as R frees little at its end. valgrind does not know the system calls of process descriptors.
boundary() {
  local log=$work/valgrind.log
  rm -f "$log"
  TASKQ_TEST_VALGRIND=1 TASKQ_WITHOUT=pidfd R --no-init-file --no-save --quiet \
    -d "valgrind --log-file=$log --trace-children=no --num-callers=30" \
    -f tools/test/memory.R >"$work/boundary.log" 2>&1
  local status=$? ours
  ours=$(awk 'function finish() { if (mine) printf "%s\n", block; block = ""; mine = decided = 0 }
    /^==[0-9]+== *$/ { finish(); next }
    { block = block $0 "\n" }
    /libR\.so/ { decided = 1 }
    /taskq\/libs\/taskq\.so/ && !decided { mine = 1 }
    END { finish() }' "$log")
  sed -n 's/^tests: /boundary, valgrind: /p' "$work/boundary.log"
  echo "boundary, valgrind: $(grep -c . <<<"$ours") lines of reports with a frame of taskq"
  head -n 60 <<<"$ours"
  grep 'ERROR SUMMARY' "$log"
  ((status == 0)) && [[ -z $ours ]]
}

status=0
for part in "${parts[@]}"; do
  case $part in
    crates) crates ;;
    boundary) boundary ;;
    *) echo "'$part' is neither crates nor boundary"; false ;;
  esac || status=1
done
exit "$status"
