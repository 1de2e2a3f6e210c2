#!/bin/sh
# The shared object exports R_init_taskq and nothing else.
set -eu
. tools/env.sh
exported=$(nm -D --defined-only "$LIBRARY/taskq/libs/taskq.so" | awk '{ print $3 }')
echo "$exported"
[ "$exported" = R_init_taskq ]
