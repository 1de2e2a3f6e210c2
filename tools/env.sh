# Settings shared by the scripts; sourced from the top folder of the sources.
# shellcheck shell=sh
ROOT=$PWD
BUILD=$ROOT/build
LIBRARY=$BUILD/library

# The toolchain is often installed without a login shell knowing it.
PATH=$PATH:$HOME/.cargo/bin

# Every build of this tree shares one directory of compiled crates.
TASKQ_CARGO_TARGET=$(realpath -m "${TASKQ_CARGO_TARGET:-${CARGO_TARGET_DIR:-$ROOT/src/rust/target}}")
CARGO_TARGET_DIR=$TASKQ_CARGO_TARGET
NOT_CRAN=true
R_LIBS=$LIBRARY${R_LIBS:+:$R_LIBS}
export PATH TASKQ_CARGO_TARGET CARGO_TARGET_DIR NOT_CRAN R_LIBS
mkdir -p "$LIBRARY"
