#!/bin/sh
# Compiles the package and installs it into build/library.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
R CMD INSTALL --no-multiarch --no-lock --library="$LIBRARY" .
