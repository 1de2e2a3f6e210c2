#!/bin/sh
# The scheduler and the ledger depend on the records alone, the ledger also on the scheduler for what retries mean, and
# the records on serde, which needs nothing of the system.
set -eu
tree=$(cargo tree --manifest-path src/rust/Cargo.toml -p taskq-core -p taskq-ledger -e normal --prefix none \
  --format '{p}')
echo "$tree"
known='taskq-(core|ledger|record)|serde(_core|_derive)?|proc-macro2|quote|syn|unicode-ident'
others=$(echo "$tree" | awk '{ print $1 }' | grep -vxE "$known" || true)
[ -z "$others" ]
