#!/bin/sh
# Regenerates R/rust-calls.R, man/ and NAMESPACE in the given copy of the package, by default in this tree.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
Rscript tools/document.R "${1:-.}"
