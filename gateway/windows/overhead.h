/* overhead.h - the rule that keeps the profiler's own cost below its ceiling.
 *
 * After each window, the CPU time that the profiler burnt in a worker is compared with the CPU
 * time of the worker (ledger.h), but for looks that give way: samples have precedence. Above the
 * ceiling the period of the next windows is doubled, up to CPROF_PERIOD_NS_MAX, as long as that
 * helps. Where samples are less than a third of the cost it would not: what is dearer has its own
 * way to become cheaper. It is halved again, until it is the configured one, when for some windows
 * in a row twice the samples would have kept the share well below the ceiling, or would have been
 * well below that third: a rate that is taken back lasts.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    the caller's; nothing to give back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OVERHEAD_H
#define CPROF_OVERHEAD_H

#include <stdint.h>

#include "../../shared/segment/ledger.h"

struct cprof_overhead {
    double ceiling_percent; /* 0: there is no ceiling */
    unsigned doublings;     /* of the configured period, at present */
    double before_percent;  /* the share that the last doubling answered; 0: none did */
    unsigned quiet_windows; /* in a row, that had room for twice the samples */
};

enum cprof_overhead_change {
    CPROF_OVERHEAD_SAME,
    CPROF_OVERHEAD_SLOWED,
    CPROF_OVERHEAD_EASED,
    CPROF_OVERHEAD_RESTORED, /* the configured period is back */
};

/* The period to order windows with, for a configured one, which may change at any time. At least
 * the configured one; at most CPROF_PERIOD_NS_MAX, if the configured one is. */
uint64_t cprof_overhead_period_ns(const struct cprof_overhead *overhead, uint64_t configured_ns);

/* A window of window_period_ns is over; percent is the share in the worker that is worst off
 * without looks that give way (cprof_ledger_firm_ns), of which samples_percent goes with the rate.
 * An unknown share says nothing, nor does a window of another period than the one in force: it was
 * ordered before the last change, or has a period of its own. */
enum cprof_overhead_change cprof_overhead_judge(struct cprof_overhead *overhead, double percent,
                                                double samples_percent, uint64_t configured_ns,
                                                uint64_t window_period_ns);

#endif
