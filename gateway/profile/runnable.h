/* runnable.h - shares a thread's run-queue time out over the stacks in which it waited for a CPU.
 *
 * Callers   the gateway's thread, once for each slot of a wall profile. Pure.
 * Meaning   the kernel tells how long a thread waited in the run queue, the looks of the ticker in
 *           which stacks (plugin/sample/offcpu.h). So the time goes to these, in proportion to what
 *           the looks give each. Where no look found the thread waiting, it goes to its stacks on
 *           the CPU, in proportion to their time; where it has none, to those that it slept in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RUNNABLE_H
#define CPROF_RUNNABLE_H

#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"

/* One stack record of a thread. */
struct cprof_thread_stack {
    uint32_t thread_ref; /* cprof_log_thread */
    uint32_t stack_ref;
    enum cprof_stack_kind kind;
    uint64_t value_ns;    /* its time in the profile; CPROF_STACK_RUNNABLE: what is shared out */
    uint64_t wait_ns;     /* what looks found of waiting for a CPU in it */
    uint64_t runnable_ns; /* 0 at first; its share */
};

/* Sets each runnable_ns; sorts the array by thread. Where a thread has no stack with any time,
 * the share stays with its CPROF_STACK_RUNNABLE records themselves. The shares of a thread sum up
 * to what there was to be shared out; sums stop at INT64_MAX. */
void cprof_runnable_share_out(struct cprof_thread_stack *stacks, size_t count);

#endif
