#!/bin/bash
# Tests the crates that know nothing of R, on a PATH without R.
set -u
shadow=$(mktemp -d)
trap 'rm -rf "$shadow"' EXIT

# A folder that holds R is replaced by links to everything else in it.
path=
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
  if [[ -e $folder/R || -e $folder/Rscript ]]; then
    copy=$shadow/$(echo "$folder" | tr / _)
    mkdir -p "$copy"
    ln -sf "$folder"/* "$copy"
    rm -f "$copy/R" "$copy/Rscript"
    folder=$copy
  fi
  path=$path${path:+:}$folder
done
unset R_HOME
PATH=$path
if command -v R; then
  echo "R is still on the PATH"
  exit 1
fi

cargo test --manifest-path src/rust/Cargo.toml --workspace --exclude taskq --no-fail-fast 2>&1 |
  tee "$shadow/log"
status=${PIPESTATUS[0]}
tools/test/cargo-counts.sh "$shadow/log" >"${COUNTS:-/dev/stderr}"
exit "$status"
