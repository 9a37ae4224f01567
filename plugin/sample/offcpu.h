/* offcpu.h - what threads do while they are off the CPU, read from outside: no signal is ever sent
 * to them.
 *
 * Proof     a stack counts only if the thread is proven to have stood still while it was read
 *           (still_stack.h). Anything else is no sample; its time stays due until the next look.
 * Waits     a thread that stands still may be asleep or wait for a CPU (cpu_waits.h).
 * Unchanged a thread whose CPU clock still stands where it stood when its stack was recorded is
 *           in the same stack: one clock read, no walk. It may have been woken and wait for a CPU
 *           there; threads that do so are asked by one more call.
 * Weight    each look books, at once, the thread's wall time since the last one, less its CPU
 *           time and the time it waited for a CPU, which the kernel's scheduler accounts
 *           (CPROF_STACK_RUNNABLE). A wall profile is this and the samples on the CPU. What a look
 *           finds waiting gets the mean gap as its part in that account, as a sleep gets it as
 *           time.
 * Calls     of the kernel for a thread that has run: two of its CPU clock, its account, its state,
 *           what a descriptor is, and whose the fault handler is: at most six. A wait for a CPU:
 *           one more of the clock; its processor, and on the ticker's own the scheduler's clocks.
 *           Whose the fault handler is, is asked for each thread that is walked, not once for all:
 *           the app may take it at any instant, and a read that fails then ends the process. The
 *           call is one of the cheapest, and what lies between it and the reads stays microseconds.
 * Callers   the ticker only, between the sampler's start and the process's end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OFFCPU_H
#define CPROF_OFFCPU_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../python/runtime.h"
#include "../record/recorder.h"
#include "../tags/request_view.h"
#include "../threads/threads.h"

/* Everything must live as long as the process; `blocked` are the ticker's blocked signals. */
void cprof_offcpu_setup(struct cprof_slot *slot, const struct cprof_python *python,
                        struct cprof_recorder *recorder, const struct cprof_request_view *requests,
                        const sigset_t *blocked);

/* A window begins. `keeps_files`: descriptors may stay open between looks. */
void cprof_offcpu_begin(bool keeps_files);

/* The time of threads that are new counts from now on, however far the next look may be. */
void cprof_offcpu_follow(void);

/* Looks at every registered thread that has run Python. `gap_mean_ns`: how long gaps like the
 * last one are on average (pace.h), lateness included; 0: it was cut short. Returns whether any
 * thread has run since the last look. */
bool cprof_offcpu_look(uint64_t gap_mean_ns);

/* Did the last look find a thread that waits for a CPU, or one that often does? Then the next look
 * has something to find, though no thread runs until then. */
bool cprof_offcpu_may_be_waiting(void);

/* A look where no thread has run since the last one, which found none that may be waiting: books
 * the same, and asks nothing of those whose stack is known. Others, which a scan may have found
 * since, are looked at. Returns whether there were such. */
bool cprof_offcpu_stay(uint64_t gap_mean_ns);

/* Asks again what threads sleep in of which the kernel said nothing at the last look; what is
 * found holds for the whole sleep. Returns whether it is worth to ask once more. */
bool cprof_offcpu_name_sleeps(void);

/* The thread is not followed any more: books what is left. */
void cprof_offcpu_forget(struct cprof_thread *thread);

/* A window begins or ends beside others: what was booked so far stays where it is, whatever
 * cprof_offcpu_name_sleeps finds later. */
void cprof_offcpu_settle(void);

/* What stacks are marked with has changed: each thread is walked again at the next look, whether it
 * has moved or not. */
void cprof_offcpu_doubt(void);

/* No window collects wall time any more: forgets all threads. */
void cprof_offcpu_end(void);

#endif
