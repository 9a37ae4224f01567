#!/bin/sh
# A perf event's new period holds from the call on; see perf_period.c.
set -eu
program=$(mktemp)
trap 'rm -f "$program"' EXIT
"${CC:-cc}" -D_GNU_SOURCE -O2 -pthread -o "$program" "$(dirname "$0")/perf_period.c"
"$program"
