/* kernel_time.h - in which functions the kernel time outside system calls was spent.
 *
 * Its sum is known: what the threads' clocks have beyond user time and system calls. No tick says
 * of itself that it hit a page fault, so the places are found by comparing two counts: the timer
 * sees all of a place's time, the samples (perf events and system calls) all but the faults. What
 * the timer saw beyond the samples is the place's kernel time, give or take chance and the bias
 * of the kernel's tick. How much these two may be told by the sum: all places together cannot
 * truly exceed it. The more they do, the less the comparison is believed, and the more the time
 * follows the timer's ticks as they are.
 *
 * Callers   the gateway's thread, for one slot: init, add each stack, spread, take each stack,
 *           reset.
 * Memory    one entry for each stack, owned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_KERNEL_TIME_H
#define CPROF_KERNEL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

struct cprof_kernel_place {
    uint32_t place;
    uint64_t timer_ns, sampled_ns;
    uint64_t kernel_ns;          /* its part, once the time is spread */
    uint64_t asked_ns, given_ns; /* what was taken of timer_ns and of kernel_ns so far */
};

/* Fields are private. */
struct cprof_kernel_time {
    struct cprof_kernel_place *places; /* sorted, each once, after the spreading */
    size_t count;
};

/* Room for `stacks` stacks. False: out of memory. */
bool cprof_kernel_time_init(struct cprof_kernel_time *time, size_t stacks) CPROF_MUST_USE;
void cprof_kernel_time_reset(struct cprof_kernel_time *time);

/* One stack: what stands for its place, what the timer saw there and what was sampled. */
void cprof_kernel_time_add(struct cprof_kernel_time *time, uint32_t place, uint64_t timer_ns,
                           uint64_t sampled_ns);

/* Gives each place its part of kernel_ns. Returns kernel_ns, or 0 if the timer saw nothing, so
 * that there is no place to put it. */
uint64_t cprof_kernel_time_spread(struct cprof_kernel_time *time, uint64_t kernel_ns);

/* What falls to a stack that was added: its place's part, by its timer_ns. Each stack once: the
 * parts then add up without a rounding error. */
uint64_t cprof_kernel_time_take(struct cprof_kernel_time *time, uint32_t place, uint64_t timer_ns);

#endif
