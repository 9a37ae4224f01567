/* descriptors.c - see descriptors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "descriptors.h"

#include <limits.h>
#include <sys/resource.h>

/* More than the ticker opens at once for a moment. */
#define SPARE 8

/* Before the first window nothing is kept. */
static int kept_below;

void cprof_descriptors_begin(void)
{
    struct rlimit limit;

    kept_below = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        kept_below = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur - SPARE : INT_MAX;
    }
}

bool cprof_descriptors_may_keep(int descriptor)
{
    return descriptor < kept_below;
}
