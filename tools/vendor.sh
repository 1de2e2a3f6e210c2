#!/bin/bash
# Makes build/taskq_<version>.tar.gz, a release that holds the sources of all
# crates and so builds offline, and proves it: R CMD check without a network.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
export LC_ALL=C.UTF-8
work=$BUILD/release
package=$work/taskq
# One that this cannot replace would be taken for the present one.
rm -rf "$work" "$BUILD"/taskq_*.tar.gz
tools/stage.sh "$package"

# What only the crates' own tests need is not shipped.
for manifest in "$package"/src/rust/Cargo.toml "$package"/src/rust/crates/*/Cargo.toml; do
  awk '/^\[/ { skip = /^\[dev-dependencies/ } !skip' "$manifest" >"$work/manifest"
  cp "$work/manifest" "$manifest"
done

cd "$package/src"
export CARGO_TARGET_DIR=$work/target
cargo vendor --versioned-dirs --manifest-path rust/Cargo.toml vendor >rust/vendor-config.toml

# Crates that only other platforms use have to be there, but not their contents.
for target in x86_64-unknown-linux-gnu aarch64-apple-darwin x86_64-unknown-freebsd; do
  cargo tree --quiet --manifest-path rust/Cargo.toml --workspace --edges normal,build \
    --target "$target" --prefix none --format '{p}'
done | awk '{ sub("^v", "", $2); print $1 "-" $2 }' | sort -u >"$work/used"
for crate in vendor/*; do
  if ! grep -qxF "${crate#vendor/}" "$work/used"; then
    find "$crate" -type f ! -name Cargo.toml ! -name .cargo-checksum.json -delete
    find "$crate" -type d -empty -delete
    mkdir -p "$crate/src"
    touch "$crate/src/lib.rs"
    sed -i 's/"files":{[^}]*}/"files":{}/' "$crate/.cargo-checksum.json"
  fi
done
mkdir -p ../inst
cargo metadata --quiet --format-version 1 --manifest-path rust/Cargo.toml |
  Rscript "$ROOT/tools/authors.R" "$work/used" >../inst/AUTHORS

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - vendor |
  xz -9e >rust/vendor.tar.xz
rm -rf vendor

cd "$work"
TASKQ_CARGO_TARGET=$work/target R CMD build taskq
tarball=$(ls taskq_*.tar.gz)

unset NOT_CRAN TASKQ_CARGO_TARGET CARGO_TARGET_DIR CARGO_HOME
export CARGO_NET_OFFLINE=true R_CHECK_ENVIRON=$ROOT/tools/test/check.Renviron
without_network=()
for wrapper in "unshare --net" "unshare --net --map-current-user"; do
  if $wrapper true 2>/dev/null; then
    read -ra without_network <<<"$wrapper"
    break
  fi
done
[[ ${#without_network[@]} -gt 0 ]] || echo "No network namespaces here: cargo is only told to stay offline."
"${without_network[@]}" R CMD check --no-manual "$tarball"
grep -qx 'Status: OK' taskq.Rcheck/00check.log

mv "$tarball" "$BUILD"
du -h "$BUILD/$tarball" "$package/src/rust/vendor.tar.xz"
