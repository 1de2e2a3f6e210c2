#!/bin/sh
# The scheduler crate depends on the records alone, and these on serde, which needs nothing of the system.
set -eu
tree=$(cargo tree --manifest-path src/rust/Cargo.toml -p taskq-core -e normal --prefix none --format '{p}')
echo "$tree"
known='taskq-(core|record)|serde(_core|_derive)?|proc-macro2|quote|syn|unicode-ident'
others=$(echo "$tree" | awk '{ print $1 }' | grep -vxE "$known" || true)
[ -z "$others" ]
