#!/bin/sh
# The scheduler crate depends on nothing.
set -eu
tree=$(cargo tree --manifest-path src/rust/Cargo.toml -p taskq-core -e normal)
echo "$tree"
[ "$(echo "$tree" | wc -l)" -eq 1 ]
