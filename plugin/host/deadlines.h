/* deadlines.h - what the master knows of its workers' requests, copied into their slots: since when
 * the oldest one runs, and when uWSGI would end the worker for it (harakiri).
 *
 * Callers   the master, in its cycle and in its harakiri hook. Without a master nobody does: then
 *           harakiri is an alarm in the worker, and the gateway learns of neither.
 * Cost      a few loads for each core, a few times a second at most; never waits.
 * Memory    the slots stay mapped, for the master alone: what it forks does not inherit them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DEADLINES_H
#define CPROF_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

/* Whether this server has a master. From postinit_apps on. */
bool cprof_deadlines_have_master(void);

/* Maps the segment. In the master, in its first cycle; then it forks no more than workers.
 * slow_request_s as in struct cprof_config. */
bool cprof_deadlines_begin(int segment_fd, uint32_t slow_request_s,
                           struct cprof_error *error) CPROF_MUST_USE;

/* Brings the slots up to date, unless that was done a moment ago. */
void cprof_deadlines_copy(void);

/* uWSGI is about to end this worker, which it counts from 1. */
void cprof_deadlines_note_strike(int worker);

#endif
