/* misses.c - see misses.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "misses.h"

const char *cprof_miss_name(enum cprof_miss miss)
{
    switch (miss) {
    case CPROF_MISS_ENTRY:
        return "entry";
    case CPROF_MISS_STARTING:
        return "starting";
    case CPROF_MISS_UNREADABLE:
        return "unreadable";
    case CPROF_MISS_CONTEXTS:
        return "contexts";
    case CPROF_MISS_STALE:
        return "stale";
    case CPROF_MISS_BLOCKED:
        return "blocked";
    case CPROF_MISS_LOST:
        return "lost";
    case CPROF_MISS_STACK:
        return "stack";
    case CPROF_MISS_COUNT:
        break;
    }
    return "unknown";
}
