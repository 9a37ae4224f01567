/* slot_sums.h - what each slot has counted in the parts of a window, added up.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    one entry for each slot up to the last one that was added; owned.
 * Trust     none: counters are as the slots say, and sums stop at INT64_MAX.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SLOT_SUMS_H
#define CPROF_SLOT_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/segment/layout.h"
#include "log_reader.h"

struct cprof_slot_sum {
    /* Counts of threads are no sums: the largest of the parts. */
    uint64_t counters[CPROF_COUNTER_COUNT];
    uint64_t extra_ns; /* kernel time outside system calls */
    uint64_t rejected; /* what made no sense */
    uint32_t kind;     /* enum cprof_slot_kind */
    uint32_t number;
    bool says_something; /* it is worth a line for people */
    bool closed;         /* what was read last of it is complete */
};

/* By the slots' indices; zeros: empty. */
struct cprof_slot_sums {
    struct cprof_slot_sum *slots;
    size_t count;
};

/* Adds what one part has of one slot. False without memory. */
bool cprof_slot_sums_add(struct cprof_slot_sums *sums, const struct cprof_log_view *view,
                         uint64_t extra_ns) CPROF_MUST_USE;

void cprof_slot_sums_reset(struct cprof_slot_sums *sums);

#endif
