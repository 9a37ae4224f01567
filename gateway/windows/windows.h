/* windows.h - the life of windows: several at a time, each ordered by somebody, each ending in
 * profiles of its own.
 *
 * An order waits until it can be opened, samples, is closed, and its profiles are handed to who
 * ordered it. That may take him long (an upload): until he gives the window back its descriptor
 * stands in shared memory, with his ticket, and the logs stay, so that a gateway that follows a
 * killed one makes the same profiles again and hands them to whoever adopts windows of that
 * source. The profile of a window that others overlap is the difference of two looks at the logs
 * (snapshot.h). The first look is in this process's memory: such a window is lost when the
 * gateway is killed, and that is said to its adopter.
 *
 * Callers   the gateway's thread. No function here waits for anything.
 * Calls     `finished` is called from the loop (or, of a window that is lost, from
 *           cprof_windows_begin, never from another function here), exactly once for each window
 *           that is not cancelled. It may call any function here.
 * Memory    the handle is the caller's; orders and tickets are copied.
 * Trust     windows and tickets of a former gateway come from shared memory, where any worker can
 *           write. Windows are checked; a ticket is text of at most CPROF_TICKET_BYTES_MAX bytes
 *           without NUL, and no more than that is known about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WINDOWS_H
#define CPROF_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/layout.h"
#include "../../shared/segment/segment.h"
#include "../loop/loop.h"
#include "harvest.h"

struct cprof_windows;

/* How a window ended. All pointers are borrowed for the call. */
struct cprof_window_result {
    int handle;                        /* to be released, at once or later */
    const struct cprof_window *window; /* as it was sampled: a reload cuts it short; start and end
                                        * are those of all parts together */
    /* One profile for each kind that the window collects. NULL: the window is lost; why was
     * logged, and its profiles were counted in profiles_failed. The callee may take a table by
     * leaving an empty one (cprof_table_init) in its place. */
    struct cprof_harvest *harvest;
    /* A gateway before this one opened it: its profiles may have been delivered already. */
    bool adopted;
    /* It was sampled at its own period from start to end, as far as is known: no window of a
     * shorter one was open beside it. */
    bool steady;
    const char *ticket; /* ends with NUL; "" if there is none */
    size_t ticket_bytes;
};

/* When it ended, unix time. */
static inline uint64_t cprof_window_end_unix_ns(const struct cprof_window *window)
{
    return window->start_unix_ns + (window->end_ns - window->start_ns);
}

typedef void (*cprof_window_finished)(void *context, const struct cprof_window_result *result);

struct cprof_window_order {
    uint32_t kinds;     /* enum cprof_kind, at least one */
    uint32_t source;    /* enum cprof_window_source */
    uint32_t flags;     /* CPROF_WINDOW_REQUESTS, also with CPROF_WINDOW_NEW_REQUESTS; or 0 */
    uint64_t period_ns; /* CPROF_PERIOD_NS_MIN to CPROF_PERIOD_NS_MAX; the shortest of the windows
                         * that are open together is used for all */
    /* One of the two, the other one 0: how long it lasts, or when it ends, however late it
     * opens. At most CPROF_WINDOW_NS_MAX. */
    uint64_t duration_ns;
    uint64_t end_ns;
    /* It opens at once as a rule; it waits while another one, or a part of it, is being closed
     * (milliseconds) or read (seconds, where many logs are full). Lost if that lasts beyond this;
     * CPROF_LOOP_NEVER: it waits as long as it takes. */
    uint64_t latest_start_ns;
    const char *ticket; /* text for a later gateway, copied; NULL: none */
    size_t ticket_bytes;
    cprof_window_finished finished;
    void *context;
};

/* Everything given is borrowed until the end. NULL: the loop has no place for its timer, or there
 * is no memory. */
struct cprof_windows *cprof_windows_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment,
                                           struct cprof_loop *loop,
                                           struct cprof_error *error) CPROF_MUST_USE;

/* Frees all; windows that stand are left to the next gateway. NULL is fine. */
void cprof_windows_destroy(struct cprof_windows *windows);

/* Windows of this source that a former gateway left are finished by this callback; before
 * cprof_windows_begin. A window whose source nobody adopts is given up. */
void cprof_windows_adopt(struct cprof_windows *windows, enum cprof_window_source source,
                         cprof_window_finished finished, void *context);

/* Somebody who looks on, and takes nothing. Either function may be NULL. */
struct cprof_windows_observer {
    cprof_window_finished finished; /* a window of this segment has ended; it is handed over next */
    void (*giving_back)(void *context); /* logs and counters are still there */
    void *context;
};

/* One at most. */
void cprof_windows_observe(struct cprof_windows *windows,
                           const struct cprof_windows_observer *observer);

/* Once, before the first order: takes on the windows of the segments of before a reload, whose
 * processes are all gone, and those that stand in the segment itself. They are finished in turns of
 * the loop. The descriptors become its own. */
void cprof_windows_begin(struct cprof_windows *windows, const int *previous_fds,
                         size_t previous_count);

/* Orders a window and returns its handle, 0 or more. -1: as many as may be are not released yet, or
 * the order is out of bounds; nothing is kept, `finished` will not be called. There may be
 * CPROF_WINDOWS_MAX, of which CPROF_SOURCE_WATCH alone gets the last one. */
int cprof_windows_order(struct cprof_windows *windows, const struct cprof_window_order *order,
                        struct cprof_error *error) CPROF_MUST_USE;

/* The finished window's profiles are delivered or given up: its descriptor and, once no window
 * stands, the logs are given back. The handle may then be used again for another window. */
void cprof_windows_release(struct cprof_windows *windows, int handle);

/* Takes back a window that is not finished: nothing is made of it. */
void cprof_windows_cancel(struct cprof_windows *windows, int handle);

/* Takes back all windows of this source, finished or not: who ordered them is not called and must
 * forget their handles. What they sampled is dropped. */
void cprof_windows_drop(struct cprof_windows *windows, enum cprof_window_source source);

/* Copies the windows that are sampled now, each from its first part to its own end, in the order of
 * their handles; returns how many. */
unsigned cprof_windows_read(const struct cprof_windows *windows,
                            struct cprof_window open[CPROF_WINDOWS_MAX]);

/* How many windows of this source are not released, those that were adopted included. */
unsigned cprof_windows_count(const struct cprof_windows *windows, enum cprof_window_source source);

#endif
