/* misses.h - the reasons for which a tick gave no stack, as words for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MISSES_H
#define CPROF_MISSES_H

#include "layout.h"

/* One word, for profile comments and metrics; a constant. "unknown" for anything else. */
const char *cprof_miss_name(enum cprof_miss miss);

#endif
