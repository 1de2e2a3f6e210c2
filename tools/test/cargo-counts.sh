#!/bin/sh
# Prints how many tests passed, failed and were skipped, by the log of "cargo test" that is given. Nothing, and
# status 1, where none was begun.
awk '/^test result:/ { passed += $4; failed += $6; skipped += $8; seen = 1 }
  END { if (seen) print passed + 0, failed + 0, skipped + 0; else exit 1 }' "$1"
