/* watch.h - requests that run too long, and workers that uWSGI is about to end for it (harakiri).
 *
 * While a request is slow, or a deadline near, windows of wall time follow each other that mark
 * stacks with their requests. A slow request's samples are gathered until it ends; then they are
 * one profile, with labels for method, URI and duration, and one line in the log. The last window
 * before a worker was ended is what it did: to the log, as text and as a profile. All of it comes
 * from shared memory, so that it does not matter what the worker hangs in, or that it is dead.
 *
 * Slow and deadline  both come from the master, once a second, by the slots (host/deadlines.h);
 *           without a master nothing is followed. Of each worker the oldest request that
 *           may still be followed wakes the watch up; then all of its slow ones are gathered.
 * Callers   the gateway's thread, on the loop; no function waits.
 * Bounds    CPROF_WATCH_REQUESTS_MAX slow requests are gathered at once, each for
 *           CPROF_FOLLOWED_SECONDS_MAX (segment/oldest.h) seconds; one window at a time. Where more
 *           are slow, a new one takes the place of another (slow_places.h), which is reported as
 *           far as it is known; one gives way in each window.
 * Ends      a request that nobody saw end lasted until uWSGI ended its worker, or at least until
 *           its last sample.
 * Kills     what was gathered dies with the gateway.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WATCH_H
#define CPROF_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../loop/loop.h"
#include "../sinks/sink.h"
#include "../windows/windows.h"

#define CPROF_WATCH_REQUESTS_MAX 16u

struct cprof_watch;

/* All borrowed. NULL: no memory, or the loop has no place. */
struct cprof_watch *cprof_watch_create(const struct cprof_config *config,
                                       const struct cprof_segment *segment,
                                       struct cprof_windows *windows, struct cprof_loop *loop,
                                       const struct cprof_sinks *sinks,
                                       struct cprof_error *error) CPROF_MUST_USE;
/* Before the windows end. NULL is fine. */
void cprof_watch_destroy(struct cprof_watch *watch);

/* Off: no window is ordered, and one that is under way is taken back; what uWSGI ends is told
 * without its stacks. On at first. */
void cprof_watch_switch(struct cprof_watch *watch, bool on);

/* How many slow requests were followed for a part of their time or not at all, as there were more
 * than places. Borrowed, as long as the watch. */
const uint64_t *cprof_watch_cut(const struct cprof_watch *watch);

/* Looks at the slots: once a second, whenever the gateway is awake for it anyway. */
void cprof_watch_look(struct cprof_watch *watch, uint64_t now_ns);

#endif
