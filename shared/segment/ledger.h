/* ledger.h - what profiling costs a worker: one table of parts, each a counter of its slot in
 * nanoseconds of CPU time, and what is compared with them.
 *
 * Who gives way when a worker pays too much depends on what is dear there:
 *
 *     samples    the handlers, and what the kernel needs to deliver their signals. They grow with
 *                the rate: the gateway lengthens the period (gateway/windows/overhead.h).
 *     ticker     looks and scans. The ticker holds itself back: half of the ceiling is its own,
 *                more is only lent by what others leave of it (plugin/sample/pace.h).
 *     switches   perf events are switched on and off with their threads, whatever the period. The
 *                worker goes over to the next engine where that is far above the ceiling
 *                (plugin/sample/switches.h).
 *
 * Callers   the ticker and the gateway. Pure. Any figure is fine: the gateway's come from shared
 *           memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LEDGER_H
#define CPROF_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#define CPROF_OVERHEAD_UNKNOWN (-1.0) /* a share in per cent that nobody can tell */

/* Who was sampled for less cannot be judged. */
#define CPROF_LEDGER_WALL_NS_MIN UINT64_C(500000000)

/* What the kernel needs for a tick's signal: the overflow with an empty handler less the kernel's
 * own tick, which comes in any case (docs/performance.md, table (a)). */
#define CPROF_DELIVERY_NS UINT64_C(10000)

/* What perf events may take, whatever the ceiling is. */
#define CPROF_SWITCHES_PERCENT 3.0

/* This part of the ceiling is the ticker's, whatever all else costs. */
#define CPROF_TICKER_PART 2u

enum cprof_cost {
    CPROF_COST_SAMPLES,
    CPROF_COST_TICKER,
    CPROF_COST_SWITCHES,
    CPROF_COST_COUNT,
};

struct cprof_ledger {
    uint64_t cost_ns[CPROF_COST_COUNT];
    uint64_t worker_ns; /* CPU time of all of the worker's threads, without the ticker */
    uint64_t wall_ns;   /* how long the worker was sampled */
};

/* Of counters[CPROF_COUNTER_COUNT], or of what they grew by. */
void cprof_ledger_read(struct cprof_ledger *ledger, const uint64_t *counters);

uint64_t cprof_ledger_sum_ns(const struct cprof_ledger *ledger);

/* What the ceiling is a part of: the worker's CPU time. A worker that used less than a quarter of a
 * processor counts as if it had used a quarter: the ticker's small constant cost is no reason to
 * sample it less. */
uint64_t cprof_ledger_base_ns(const struct cprof_ledger *ledger);

/* The sum without what the ticker takes beyond CPROF_TICKER_PART of the ceiling, in hundredths of a
 * per cent (0: none). Looks take that much only where others leave it, and give it back. */
uint64_t cprof_ledger_firm_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths);

/* `cost_ns` in per cent of cprof_ledger_base_ns(). CPROF_OVERHEAD_UNKNOWN for a worker that used
 * less than a tenth of a processor, or was sampled for less than CPROF_LEDGER_WALL_NS_MIN. */
double cprof_ledger_percent(const struct cprof_ledger *ledger, uint64_t cost_ns);

/* Is what a process pays for its perf events too much? It is above CPROF_SWITCHES_PERCENT of its
 * CPU time, or above the ceiling, in hundredths of a per cent, if that is higher. Without a ceiling
 * (0) it never is. Less than a thousandth of a processor is not. Events may take more than the
 * ceiling because the next engine has other shares, not just fewer samples: those of requests that
 * are shorter than the kernel's tick are wrong there. */
bool cprof_ledger_switches_are_too_dear(const struct cprof_ledger *ledger,
                                        uint32_t ceiling_hundredths);

#endif
