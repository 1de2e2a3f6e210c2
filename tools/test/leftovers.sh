#!/bin/bash
# Nothing outlives the tests.
# "before" lists what exists already; "after <list>" fails on anything new.
# Test runs are told apart by TASKQ_TEST_RUN: a marker in the environment of
# all their processes, and the folder that is their TMPDIR.
set -u

# Folders where a file with our name could be left by code that ignores TMPDIR.
files() { find /tmp /var/tmp /dev/shm -maxdepth 1 -name 'taskq*' -user "$(id -u)" 2>/dev/null | sort; }

# Processes of this run that belong to a queue.
processes() {
  local environment
  grep -lszxF "TASKQ_TEST_RUN=$TASKQ_TEST_RUN" /proc/[0-9]*/environ |
    xargs -r grep -lsz '^TASKQ_QUEUE=' |
    while read -r environment; do
      environment=${environment%/environ}
      echo "process ${environment#/proc/}: $(tr '\0' ' ' <"$environment/cmdline")"
    done 2>/dev/null
}

if [[ $1 == before ]]; then
  files
  exit
fi

for _ in 1 2 3 4 5; do # what is ending may end
  found=$(
    processes
    comm -13 "$2" <(files)
    find "$TASKQ_TEST_RUN" -mindepth 1 -maxdepth 1
  )
  [[ -z $found ]] && exit 0
  sleep 1
done
printf 'Left behind:\n%s\n' "$found"
exit 1
