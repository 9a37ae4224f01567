/* pace.h - when the next look at sleeping threads is due: each period while something moves, more
 * and more rarely while nothing does; and never so often that the ticker costs too much.
 *
 * A look that finds a new stack stands for the time since the look before. That gap's length must
 * not depend on what happens in it, and the chance to be looked at must be the same at each
 * instant: then `mean` is the right weight for what is found, whatever the gap really was (each
 * instant is sampled at the rate 1 / mean). With even gaps, a stack that was met in a long gap and
 * left in a short one would lose what it had of the short one.
 *
 * Cost      looks at sleepers take at most one part in 200 of a processor, and so do scans for
 *           threads. Below that, scans take at most a sixth of the ceiling that is set
 *           (cloudprofiler-max-overhead) of the worker's own CPU time (ledger.h), and looks what
 *           all else leaves of nine tenths of it: a tenth is room for chance. A third is theirs in
 *           any case. What they took too much or too little of so far, as the first ones do, they
 *           make up for in the next seconds. Gaps are not lengthened beyond what a window can bear
 *           for either: a second between looks, a fifth of one between scans, but for scans of more
 *           than a millisecond. Where no thread came or went, a scan has little to find: there a
 *           worker that uses little CPU time does not count as if it used a quarter of a processor,
 *           and scans may be a second apart, or many workers would pay for nothing else. The first
 *           looks of a window come soon whatever they cost: the very first ones are the dearest, as
 *           stacks and names are new, and a short window would be over.
 *
 * Callers   the ticker. Pure: no clock is read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PACE_H
#define CPROF_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/ledger.h"

#define CPROF_PACE_MEAN_MAX_NS UINT64_C(100000000)
#define CPROF_PACE_IDLE_MAX_NS UINT64_C(1000000000) /* where nothing ran for long */
#define CPROF_PACE_DEAR_MAX_NS UINT64_C(1000000000) /* where looks cost much */
#define CPROF_PACE_SCAN_MAX_NS UINT64_C(200000000)  /* where scans do, and threads come and go; */
#define CPROF_PACE_LAZY_MAX_NS UINT64_C(1000000000) /* where none does */

/* The first looks of a window, and how far apart these are at most for what they cost. */
#define CPROF_PACE_FIRST_LOOKS  6u
#define CPROF_PACE_FIRST_MAX_NS UINT64_C(50000000)

/* At most one part in so many of a processor: of looks, and of scans. */
#define CPROF_PACE_LOOK_PARTS_MIN 200u
#define CPROF_PACE_SCAN_PARTS_MIN 200u

struct cprof_pace {
    uint64_t period_ns;
    uint64_t mean_ns;  /* of gaps like the one that was planned last */
    uint64_t quiet_ns; /* planned gaps since something moved */
    uint64_t looks;    /* since the beginning */
    uint64_t random;   /* state of the generator (random.h) */
};

/* A window begins, in which nothing has run for quiet_ns already. */
void cprof_pace_begin(struct cprof_pace *pace, uint64_t period_ns, uint64_t quiet_ns,
                      uint64_t seed);

/* A look has ended. It and all that the ticker did for it took cost_ns of CPU time, of which it may
 * take one part in `parts`; `moved`: some thread had run since the look before. Returns the time
 * until the next one. */
uint64_t cprof_pace_next(struct cprof_pace *pace, bool moved, uint64_t cost_ns, uint64_t parts);

/* One part in how many of a processor looks may take from now on, of a worker whose ledger so far
 * is this one, under a ceiling in hundredths of a per cent (0: none). Of the ticker's time in the
 * ledger, scans took scans_ns and looks the rest. */
uint64_t cprof_pace_look_parts(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                               uint64_t scans_ns);

/* The mean pause behind a scan that took so much CPU time of that worker, where threads come and go
 * and where none does; least_ns is the shortest one. */
uint64_t cprof_pace_scan_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                            uint64_t cost_ns, uint64_t least_ns);
uint64_t cprof_pace_lazy_scan_ns(const struct cprof_ledger *ledger, uint32_t ceiling_hundredths,
                                 uint64_t cost_ns, uint64_t least_ns);

/* The gap where nothing ran for quiet_ns; `least_ns` is the shortest one. */
uint64_t cprof_pace_idle_ns(uint64_t quiet_ns, uint64_t least_ns);

#endif
