#!/bin/sh
# The generated files are what tools/document.R makes of the sources.
set -eu
. tools/env.sh
if ! Rscript -e 'quit(status = packageVersion("roxygen2") != read.dcf("DESCRIPTION", "RoxygenNote")[[1]])'; then
  echo "Skipped: man/ was made by another version of roxygen2."
  echo "0 0 1" >"$COUNTS"
  exit 0
fi
fresh=$BUILD/drift
tools/stage.sh "$fresh"
Rscript tools/document.R "$fresh"
status=0
for generated in R/rust-calls.R NAMESPACE DESCRIPTION man; do
  diff -ru "$generated" "$fresh/$generated" || status=1
done
[ "$status" -eq 0 ] || echo "Run 'make document' and commit what it changes."
exit "$status"
