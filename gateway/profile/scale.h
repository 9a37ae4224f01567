/* scale.h - reconciles what a slot's stacks on the CPU weigh with the clock of its process.
 *
 * Callers   the gateway's thread, once for each slot and profile. Pure.
 * Meaning   a sample says in which stack CPU time was used, the clock how much it was. Kernel time
 *           that only the clock saw is put where it was spent (kernel_time.h), then all weights are
 *           multiplied so that they sum up to the clock, within bounds.
 * Memory    what kernel_time.h keeps, freed by the reset.
 * Repeats   the same stacks in the same order get the same values, in every profile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SCALE_H
#define CPROF_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "kernel_time.h"
#include "log_reader.h"

/* A weight is believed to err by no more than this factor. */
#define CPROF_SCALE_MAX 2

struct cprof_scale {
    uint64_t extra_ns;       /* kernel time outside system calls */
    uint64_t value_given_ns; /* the sum of all values so far */

    /* Private. */
    uint64_t raw_ns; /* of all stacks; extra_ns stands in it */
    struct cprof_kernel_time kernel_time;
    uint64_t numerator, denominator;
    uint64_t weight_seen_ns;
};

/* Looks at these stacks and leaves, all of them on the CPU, at the rest and the clocks of `view`.
 * False: out of memory. */
bool cprof_scale_begin(struct cprof_scale *scale, const struct cprof_log_view *view,
                       const uint32_t *stacks, size_t stack_count) CPROF_MUST_USE;
void cprof_scale_reset(struct cprof_scale *scale);

/* The CPU time that the next stack or leaf, view->stacks' `ref`, stands for, ns. */
uint64_t cprof_scale_stack(struct cprof_scale *scale, const struct cprof_log_view *view,
                           uint32_t ref);

/* The same of view->rest[CPROF_REST_ON_CPU]. */
uint64_t cprof_scale_rest(struct cprof_scale *scale, const struct cprof_log_view *view);

/* The same for a weight that has no stack. */
uint64_t cprof_scale_weight(struct cprof_scale *scale, uint64_t weight_ns);

#endif
