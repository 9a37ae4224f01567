/* conductor.h - joins the schedule, the windows, the sinks and operators' commands on one loop.
 *
 * Callers   the gateway's thread, once.
 * Kills     at any instant. What stands in shared memory tells the next gateway where to go on;
 *           windows.c says in what order things are done, and why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CONDUCTOR_H
#define CPROF_CONDUCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "../shared/base/attributes.h"
#include "../shared/base/config.h"
#include "../shared/base/error.h"
#include "../shared/segment/segment.h"

#define CPROF_PREVIOUS_SEGMENTS_MAX 8

/* What it is given, beside the segment; borrowed. -1: there is none. */
struct cprof_conductor_fds {
    int bell;            /* rings when a command stands in the segment */
    int results;         /* the memory file that routes serve profiles from */
    const int *previous; /* segments of before a reload, whose processes are all gone */
    size_t previous_count;
};

/* Works until SIGTERM or SIGINT. False if it could not begin. */
bool cprof_conductor_run(const struct cprof_config *config, const struct cprof_segment *segment,
                         const struct cprof_conductor_fds *fds,
                         struct cprof_error *error) CPROF_MUST_USE;

#endif
