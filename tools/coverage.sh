#!/bin/bash
# Prints how much of the code the tests run: Rust by crate, C and R. The crates' own tests and the R tests are counted
# apart, and together. Takes 20 minutes, with everything compiled anew; what it makes is in
# build/coverage. Arguments: a regular expression for the R tests, to run only these files.
#
# A process writes down what it ran when it exits, so what is killed is not seen, with all that only it has run: a
# session that crashes, is cancelled, or is ended by kill(). Sessions that leave by themselves, supervisors and zygotes
# are.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/env.sh
tools/install-deps.sh coverage || exit 1
work=$BUILD/coverage
manifest=src/rust/Cargo.toml
rm -rf "$work/profiles" "$work/taskq" "$work"/*.lcov "$work"/*.rds
mkdir -p "$work/profiles/rust" "$work/profiles/r"
# What runs while something is compiled is of no interest.
export LLVM_PROFILE_FILE=$work/profiles/build/%8m.profraw

host=$(rustc --print host-tuple 2>/dev/null || rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
export RUSTFLAGS="-C instrument-coverage" CARGO_TARGET_DIR=$work/target TASKQ_CARGO_TARGET=$work/target LC_ALL=C.UTF-8
# With %m, processes of one binary write into the same files, one at a time.
profile() { echo "$work/profiles/$1/%8m.profraw"; }

echo "The crates' own tests:"
# shellcheck disable=SC2016 # it is R that is to read the dollars
mapfile -t binaries < <(cargo test --quiet --manifest-path "$manifest" --workspace --exclude taskq --no-run \
  --message-format=json | Rscript --no-init-file -e '
    for (line in readLines(file("stdin"))) {
      executable <- jsonlite::parse_json(line)$executable
      if (!is.null(executable)) writeLines(executable)
    }')
((${#binaries[@]})) || exit 1
LLVM_PROFILE_FILE=$(profile rust) cargo test --manifest-path "$manifest" --workspace --exclude taskq --no-fail-fast \
  >"$work/rust-tests.log" 2>&1
grep '^test .* FAILED$' "$work/rust-tests.log"
read -r passed failed skipped < <(tools/test/cargo-counts.sh "$work/rust-tests.log")
echo "$passed passed, $failed failed, $skipped skipped"

echo "The R tests:"
tools/stage.sh "$work/taskq"
# Also processes of other users write.
chmod -R a+rwX "$work/profiles"
LLVM_PROFILE_FILE=$(profile r) DEBUG=1 Rscript --no-init-file tools/coverage/r.R "$work" "${1:-}" \
  >"$work/r-tests.log" 2>&1 || {
  tail -n 50 "$work/r-tests.log"
  exit 1
}
cat "$work/tests.txt"

# lcov <name> <folders...>: what the profiles in these folders say, line by line.
lcov() {
  local name=$1 files=() objects=() object
  shift
  for folder in "$@"; do files+=("$work/profiles/$folder"/*.profraw); done
  "$tools/llvm-profdata" merge --sparse --failure-mode=all -o "$work/$name.profdata" "${files[@]}" || exit 1
  for object in "$work/library/taskq/libs/taskq.so" "${binaries[@]:1}"; do objects+=(--object "$object"); done
  "$tools/llvm-cov" export --format=lcov --instr-profile "$work/$name.profdata" "${binaries[0]}" "${objects[@]}" \
    --ignore-filename-regex '/(registry|rustc|tests|examples|benches)/' >"$work/$name.lcov" 2>"$work/llvm-cov-$name.log"
}
lcov rust rust
lcov r r
lcov both rust r
Rscript --no-init-file tools/coverage/table.R "$work"
