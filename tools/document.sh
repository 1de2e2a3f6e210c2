#!/bin/sh
# Compiles the shared object, then regenerates R/extendr-wrappers.R, man/ and
# NAMESPACE in the given copy of the package, by default in this tree.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
R_HOME=$(R RHOME) ./configure
(cd src && R CMD SHLIB -o taskq.so ./*.c)
Rscript tools/document.R src/taskq.so "${1:-.}"
