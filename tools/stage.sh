#!/bin/sh
# Copies the package's sources, without anything that was built, to the folder
# that is given (replaced). R CMD build would copy every compiled crate first.
set -eu
cd "$(dirname "$0")/.."
to=$1
rm -rf "$to"
mkdir -p "$to"
tar -cf - --exclude=./.git --exclude=./build --exclude=./src/rust/target \
  --exclude=./src/.cargo --exclude=./src/vendor --exclude=./src/Makevars \
  --exclude='./src/*.o' --exclude='./src/*.so' --exclude='./*.Rcheck' \
  --exclude='./*.tar.gz' . | tar -xf - -C "$to"
