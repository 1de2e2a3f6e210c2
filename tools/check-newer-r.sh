#!/bin/bash
# Builds and tests the package with the R of newer Debian releases, each in a
# root of its own made by debootstrap. Needs root, and the network for apt.
# Usage: check-newer-r.sh [-d folder] [-t tests] [-c tarball] [suite...]   (default: trixie sid)
# With -d the roots stay in that folder for the next time. With -t only these
# test files are run, e.g. -t "capture border". With -c that release (see
# vendor.sh) goes through R CMD check --as-cran, without a network, instead.
#
# All mounts and processes live in namespaces of their own: they are gone when
# this script ends, however it ends, and the host never sees them.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh

# Runs in the new namespaces; $1 is the root of the other system.
inside() {
  local root=$1
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mkdir -p "$root/opt/rust" "$root/opt/cargo/registry" "$root/opt/target"
  mount --bind "$(rustc --print sysroot)" "$root/opt/rust"
  mount -o remount,bind,ro "$root/opt/rust"
  mount --bind "${CARGO_HOME:-$HOME/.cargo}/registry" "$root/opt/cargo/registry"
  chroot "$root" /usr/bin/env -i --default-signal=INT,QUIT HOME=/root LC_ALL=C.UTF-8 CARGO_HOME=/opt/cargo \
    CARGO_NET_OFFLINE=true TASKQ_CARGO_TARGET=/opt/target COUNTS=/taskq/counts \
    ${http_proxy:+http_proxy="$http_proxy"} \
    PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /bin/sh -euc "$in_root"
}
if [[ ${1:-} == --inside ]]; then
  in_root='
    cd /taskq
    tools/install-deps.sh '$([[ $3 == check ]] && echo cran || echo test)'
    R --version | head -n 1'
  if [[ $3 == check ]]; then
    in_root+='
    exec unshare --net tools/test/as-cran.sh /taskq/release/taskq_*.tar.gz'
  else
    in_root+='
    tools/install.sh
    . tools/env.sh
    Rscript tools/test/testthat.R '$4
  fi
  inside "$2"
  exit
fi

folder=
release=
tests=
while getopts d:t:c: option; do
  case $option in
    d) folder=$OPTARG ;;
    t) tests=$OPTARG ;;
    c) release=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
suites=("$@")
if [[ -n $release && ! -f $release ]]; then
  echo "There is no release '$release': 'make vendor' makes one." >&2
  exit 1
fi
((${#suites[@]})) || suites=(trixie sid)

if [[ $(id -u) != 0 ]]; then
  echo "This needs root: it makes roots of other Debian releases." >&2
  exit 1
fi
command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap

if [[ -z $folder ]]; then
  folder=$(mktemp -d "${TMPDIR:-/tmp}/taskq-newer-XXXXXX")
  # One file system: nothing that is mounted below can be reached.
  trap 'rm -rf --one-file-system "$folder"' EXIT
fi
mkdir -p "$folder"
folder=$(realpath "$folder")

# The mirror that this system itself is installed from.
# shellcheck disable=SC2016 # apt's variables
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Label: Debian' |
  awk '$1 == "Debian" { print $2; exit }')
cargo fetch --manifest-path src/rust/Cargo.toml --locked

status=0
for suite in "${suites[@]}"; do
  root=$folder/$suite
  echo "=== $suite"
  if [[ ! -e $root/.complete ]]; then
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase --include=ca-certificates,make \
      "$suite" "$root" "$mirror" >"$folder/$suite.log" || {
      tail -n 20 "$folder/$suite.log"
      status=1
      continue
    }
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    apt-config dump Acquire >"$root/etc/apt/apt.conf.d/90host"
    touch "$root/.complete"
  fi
  tools/stage.sh "$root/taskq"
  work="test"
  if [[ -n $release ]]; then
    work=check
    mkdir -p "$root/taskq/release"
    cp "$release" "$root/taskq/release"
  fi
  unshare --mount --pid --fork --kill-child "$0" --inside "$root" "$work" "$tests" || status=1
  if [[ $work == check ]]; then continue; fi
  if [[ -s $root/taskq/counts ]]; then
    read -r passed failed skipped <"$root/taskq/counts"
    echo "--- $suite: $passed passed, $failed failed, $skipped skipped"
  else
    echo "--- $suite: did not get as far as the tests"
    status=1
  fi
done
exit "$status"
