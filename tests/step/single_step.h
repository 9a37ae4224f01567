/* single_step.h - runs a stretch of code one machine instruction at a time.
 *
 * The processor's trap flag raises SIGTRAP after each user instruction; `visit` is then called
 * in the signal handler, with the flag off, and may do anything that the stretch itself does not
 * (the stretches stepped here neither allocate nor lock). Any thread may be stepped. x86-64 only.
 *
 * A program makes equal rounds over the same instructions. With the argument "all" it makes all of
 * them (make step), else the few that reach as many different instructions (make test). Each
 * program prints how many it reached.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SINGLE_STEP_H
#define CPROF_SINGLE_STEP_H

#include <stdbool.h>
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

/* How often the instruction that is being visited was visited, this time included. */
uint32_t single_step_times(const ucontext_t *interrupted);

/* Counts from 0 again how often each was visited; which ones were is still known. */
void single_step_forget_times(void);

/* How many different instructions in [low, high) were visited. */
uint64_t single_step_different(uintptr_t low, uintptr_t high);

/* The same of the program's own file, without libraries. */
uint64_t single_step_different_own(void);

/* Calls `visit` the `times`-th time that the instruction at `pc` is about to be executed, and from
 * there on at each instant if `steps_on`. It takes a few traps, where single steps to there would
 * take thousands. One breakpoint at a time, in a program of one thread. */
void single_step_break(uintptr_t pc, uint32_t times, bool steps_on);

/* Takes a breakpoint back that was not reached. Returns whether it was reached. */
bool single_step_break_end(void);

/* Whether the last argument is "all". */
bool single_step_all(int argument_count, char **arguments);

#endif
