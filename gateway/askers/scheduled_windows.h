/* scheduled_windows.h - the local schedule's windows: orders the one that is due (schedule.h),
 * hands its profiles to the sinks, orders the next.
 *
 * Callers   the gateway's thread.
 * Memory    the caller's; it must live as long as the loop.
 * Disk      the next turn waits for it a quarter of a second, no longer. One window at a time is
 *           kept until its profiles are written, so that a gateway that is killed loses none of it;
 *           those that end meanwhile are given back at once.
 * Failure   what cannot be delivered is dropped: the windows go on. A turn that finds no place for
 *           its window is left out, with a line in the log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SCHEDULED_WINDOWS_H
#define CPROF_SCHEDULED_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../loop/loop.h"
#include "../sinks/sink.h"
#include "../windows/windows.h"
#include "schedule.h"

/* Fields are private. */
struct cprof_scheduled_windows {
    const struct cprof_config *config;
    struct cprof_windows *windows;
    const struct cprof_sinks *sinks;
    struct cprof_loop_timer timer;
    struct cprof_schedule schedule;
    bool is_held; /* a window that has ended, until it is written */
    uint64_t held_number, held_since_ns;
};

/* Takes on the schedule's windows that a gateway before this one left. All is borrowed. False: the
 * loop has no place. */
bool cprof_scheduled_windows_begin(struct cprof_scheduled_windows *scheduled,
                                   const struct cprof_config *config, struct cprof_windows *windows,
                                   const struct cprof_sinks *sinks, struct cprof_loop *loop,
                                   struct cprof_error *error) CPROF_MUST_USE;

/* From now on: a turn each config->output_interval_s, the first at once, the second after a random
 * wait (schedule.h); or none. A window that is open stays. */
void cprof_scheduled_windows_start(struct cprof_scheduled_windows *scheduled, uint64_t now_ns);
void cprof_scheduled_windows_pause(struct cprof_scheduled_windows *scheduled);

/* When the next window of the schedule ends, one that is open not counted; 0: there will be
 * none. */
uint64_t cprof_scheduled_windows_next_end_unix_ns(const struct cprof_scheduled_windows *scheduled);

/* Takes all of its windows back (cprof_windows_drop). What waits for the disk is written. */
void cprof_scheduled_windows_drop(struct cprof_scheduled_windows *scheduled);

#endif
