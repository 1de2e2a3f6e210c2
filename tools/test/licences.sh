#!/bin/sh
# Every crate, also those that only tests need, has a licence that src/rust/deny.toml allows, and comes from crates.io.
# Needs no network once the crates have been built.
set -eu
cd "$(dirname "$0")/../.."
. tools/env.sh
cargo metadata --locked --quiet --format-version 1 --manifest-path src/rust/Cargo.toml |
  Rscript --no-init-file tools/test/licences.R src/rust/deny.toml
