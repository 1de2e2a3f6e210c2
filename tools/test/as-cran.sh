#!/bin/bash
# R CMD check --as-cran of a release, as on a machine without a network and with
# nothing of ours but the tarball. Prints the log's summary.
# Usage: as-cran.sh tarball
#
# Left out is what asks CRAN or a time server, and the manual, which needs LaTeX.
# The one note that a new package always has is not ours.
set -eu
tarball=$(realpath "$1")
unset NOT_CRAN TASKQ_CARGO_TARGET CARGO_TARGET_DIR
export CARGO_NET_OFFLINE=true LC_ALL=C.UTF-8
# Nor are other packages' indexes there to be read: what is asked for them gets empty ones.
work=$(dirname "$tarball")/as-cran
rm -rf "$work"
mkdir -p "$work/repository/src/contrib"
touch "$work/repository/src/contrib/PACKAGES"
repository="file://$work/repository"
for name in CRAN BioCsoft BioCann BioCexp; do
  printf '%s\t"%s"\t%s\tTRUE\tTRUE\tFALSE\tFALSE\n' "$name" "$name" "$repository"
done | sed '1i menu_name\tURL\tdefault\tsource\twin.binary\tmac.binary' >"$work/repositories"
export R_REPOSITORIES=$work/repositories
export _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_SYSTEM_CLOCK_=false _R_CHECK_FORCE_SUGGESTS_=false
cd "$work"
status=0
R CMD check --as-cran --no-manual "$tarball" || status=$?
version=$(R --version | sed -n '1s/ *(.*//p')
du -h "$tarball"
echo "--- $version: $(grep '^Status:' taskq.Rcheck/00check.log || echo 'did not get to the end')"
sed -n '/\.\.\. \(NOTE\|WARNING\|ERROR\)$/,/^\* /{/\.\.\. OK$/!p}' taskq.Rcheck/00check.log
exit "$status"
