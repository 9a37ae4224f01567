/* single_step.h - runs a stretch of code one machine instruction at a time.
 *
 * The processor's trap flag raises SIGTRAP after each user instruction; `visit` is then called
 * in the signal handler, with the flag off, and may do anything that the stretch itself does not
 * (the stretches stepped here neither allocate nor lock). x86-64 only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SINGLE_STEP_H
#define CPROF_SINGLE_STEP_H

#include <stdint.h>
#include <ucontext.h>

typedef void single_step_visit(const ucontext_t *interrupted);

/* Installs the trap handler. */
void single_step_setup(single_step_visit *visit);

/* From the instruction after the call of `start` to `stop`. Always inlined: the flag is a
 * property of the running thread, not of a function. */
static inline __attribute__((always_inline)) void single_step_start(void)
{
    __asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n" ::: "memory", "cc");
}

static inline __attribute__((always_inline)) void single_step_stop(void)
{
    __asm__ volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq\n" ::: "memory", "cc");
}

/* How many instructions were visited so far. */
uint64_t single_step_instants(void);

#endif
