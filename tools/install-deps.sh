#!/bin/sh
# Installs what taskq needs from the Debian archive, only if it is missing.
# Usage: install-deps.sh [run|test|cran|app|browser|site|coverage]
# "cran" is for R CMD check --as-cran, "app" for the examples that are Shiny apps, "browser"
# for tests/browser, "site" for the documentation.
# Without root or sudo it says what is missing and exits with status 1. What
# the browser tests need is optional: it says what is missing, and no more.
set -eu
cd "$(dirname "$0")/.."
. tools/env.sh
purpose=${1:-run}

# Names of the R packages in a field of DESCRIPTION. BiocParallel (r-bioc-biocparallel) is left to who wants its tests
# to run: it brings 140 MB of C++ headers along.
packages_in() {
  awk -v field="$1:" '
    /^[^ ]/ { inside = $1 == field; $1 = inside ? "" : $1 }
    inside { gsub(/\([^)]*\)|,|BiocParallel/, " "); print }
  ' DESCRIPTION
}

missing=
need() { # command, Debian packages that bring it
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

need R "r-base-core r-base-dev"
need cc r-base-dev
need xz xz-utils
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
r_packages=$(packages_in Imports)
optional=
[ "$purpose" != cran ] || need checkbashisms devscripts
if [ "$purpose" = test ] || [ "$purpose" = cran ]; then
  need pandoc pandoc
  need qpdf qpdf
  need shellcheck shellcheck
  r_packages="$r_packages roxygen2 testthat knitr rmarkdown lintr jsonlite"
  optional=$(packages_in Suggests)
fi
forgiving=false # whether to go on without what cannot be installed
case $purpose in
  coverage)
    need gcov gcc
    r_packages="$r_packages $(packages_in Suggests) covr"
    r_packages=$(echo "$r_packages" | tr ' ' '\n' | grep -vx bslib)
    optional=bslib
    ;;
  app)
    r_packages="$r_packages shiny later promises"
    optional=bslib
    ;;
  site)
    need pandoc pandoc
    r_packages="$r_packages pkgdown"
    # An article runs these beside taskq; pages name shiny, whose functions are links then.
    optional="callr future future.apply later promises shiny tibble cli rlang"
    ;;
  browser)
    optional="shiny later promises bslib"
    forgiving=true
    ;;
esac

# Prints which of the R packages are not installed (all, when R is not).
absent() {
  if command -v Rscript >/dev/null 2>&1; then
    Rscript --no-init-file -e \
      'for (p in commandArgs(TRUE)) if (!nzchar(system.file(package = p))) cat(p, "")' "$@"
  else
    printf '%s\n' "$@" | grep -vxE 'base|graphics|grDevices|grid|methods|parallel|stats|tools|utils'
  fi
}
debian_name() { printf 'r-cran-%s\n' "$1" | tr '[:upper:]' '[:lower:]'; }

# shellcheck disable=SC2086 # lists of words
for package in $(absent $r_packages); do missing="$missing $(debian_name "$package")"; done
wanted=
# shellcheck disable=SC2086
for package in $(absent $optional); do wanted="$wanted $(debian_name "$package")"; done
# A test makes itself a locale.
if [ "$purpose" = test ] && [ ! -e /usr/share/i18n/charmaps/ISO-8859-1.gz ]; then wanted="$wanted locales"; fi
if [ "$purpose" = test ]; then command -v clang-format-14 >/dev/null 2>&1 || wanted="$wanted clang-format-14"; fi
if [ "$purpose" = browser ]; then
  for command in chromium nodejs npm; do
    command -v "${command%js}" >/dev/null 2>&1 || wanted="$wanted $command"
  done
fi

if [ -n "$missing$wanted" ]; then
  as_root=
  if ! command -v apt-get >/dev/null 2>&1; then
    can_install=false
  elif [ "$(id -u)" = 0 ]; then
    can_install=true
  elif sudo -n true 2>/dev/null; then
    can_install=true
    as_root="sudo -n"
  else
    can_install=false
  fi
  if $can_install; then
    echo "Installing:$missing$wanted"
    $as_root apt-get update -qq || $forgiving
    for package in $wanted; do
      if apt-cache show "$package" >/dev/null 2>&1; then
        missing="$missing $package"
      else
        echo "Not in this distribution, and optional: $package"
      fi
    done
    # shellcheck disable=SC2086
    [ -z "$missing" ] || $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends $missing || $forgiving
  elif [ -n "$missing" ]; then
    echo "Missing Debian packages:$missing" >&2
    echo "Install them as root: apt-get install$missing" >&2
    echo "(optional:${wanted:- none})" >&2
    exit 1
  else
    echo "Optional, and only root can install them: apt-get install$wanted"
  fi
fi

# The driver of the browser and the linter of scripts are all that does not come from Debian.
if [ "$purpose" = browser ]; then
  mkdir -p "$BUILD/browser"
  if cmp -s tests/browser/package-lock.json "$BUILD/browser/package-lock.json" &&
    [ -d "$BUILD/browser/node_modules/playwright-core" ]; then
    : # it is there
  elif command -v npm >/dev/null 2>&1; then
    cp tests/browser/package.json tests/browser/package-lock.json "$BUILD/browser"
    (cd "$BUILD/browser" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier \
      --fetch-retries=1 --cache="$BUILD/browser/cache") || {
      rm -f "$BUILD/browser/package-lock.json"
      echo "npm could not install playwright-core and eslint: the browser tests and the linter will be skipped."
    }
  fi
fi

rust_missing=
for command in cargo rustc; do
  command -v "$command" >/dev/null 2>&1 || rust_missing="$rust_missing $command"
done
if [ "$purpose" = test ] && [ -z "$rust_missing" ]; then
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 || rust_missing="$rust_missing cargo-$component"
  done
fi
if [ "$purpose" = coverage ] && [ -z "$rust_missing" ]; then
  host=$(rustc -vV | sed -n 's/^host: //p')
  tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
  [ -x "$tools/llvm-cov" ] || rustup component add llvm-tools || {
    echo "Missing from the Rust toolchain: llvm-cov and llvm-profdata, as new as rustc." >&2
    echo "With rustup: rustup component add llvm-tools" >&2
    exit 1
  }
fi
if [ -n "$rust_missing" ]; then
  echo "Missing from the Rust toolchain:$rust_missing" >&2
  echo "See https://www.rust-lang.org/tools/install; rustfmt and clippy are components of it." >&2
  exit 1
fi
