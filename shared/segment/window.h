/* window.h - window descriptors: the gateway opens them, tickers read them and sleep on them.
 *
 * Opening   the gateway fills a free descriptor, sets its bit, rings the doorbell.
 * Closing   a window ends by its own end_ns; the gateway clears the bit later, when it has read
 *           the logs. A descriptor never changes while its bit stands.
 * Reading   a ticker copies each descriptor and validates the copy (shared memory is input).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WINDOW_H
#define CPROF_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/units.h"
#include "layout.h"

#define CPROF_WINDOW_NS_MAX (3600 * NS_PER_S) /* no window is longer: a guard */
#define CPROF_PERIOD_NS_MIN UINT64_C(1000000)
#define CPROF_PERIOD_NS_MAX NS_PER_S

/* CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. */
uint64_t cprof_now_ns(void);
uint64_t cprof_now_unix_ns(void);

/* Gateway: publishes *window in descriptor `index`, which must be free, with the segment's present
 * epoch and a fresh id (both are also stored in *window) and rings. */
void cprof_window_open(struct cprof_control *control, int index, struct cprof_window *window);

/* Gateway: takes the descriptor back. */
void cprof_window_close(struct cprof_control *control, int index);

/* Wakes every ticker that sleeps in cprof_window_wait. */
void cprof_window_ring(struct cprof_control *control);

/* What a ticker has to do: the sum of all windows that are open at now_ns and sound. */
struct cprof_window_demand {
    uint32_t kinds; /* 0: none open */
    uint32_t epoch;
    uint64_t period_ns;     /* the shortest asked for */
    uint64_t last_start_ns; /* of the window that came last */
    uint64_t next_end_ns;   /* of the one that ends first */
    /* Stacks carry the marks of requests that began before this, unix time; 0: no marks. */
    uint64_t requests_before_ns;
};

/* Copies and validates the descriptors. Windows of an epoch other than `epoch` do not count. */
void cprof_window_read(const struct cprof_control *control, uint64_t now_ns, uint32_t epoch,
                       struct cprof_window_demand *demand);

/* The doorbell's value, to be read before looking at the windows and given to the wait. */
uint32_t cprof_window_doorbell(const struct cprof_control *control);

/* Sleeps until the doorbell differs from `seen` or cprof_now_ns() is until_ns, at once if it is
 * that already; UINT64_MAX: no end. May return early. Tickers only. */
void cprof_window_wait(const struct cprof_control *control, uint32_t seen, uint64_t until_ns);

#endif
