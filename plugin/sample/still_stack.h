/* still_stack.h - the stack of a thread that stands still, read from outside.
 *
 * Proof     the CPU clock is read, the kernel says that the thread sleeps, its stack is walked,
 *           the CPU clock is read again. Equal: it slept all the while and the stack is true.
 * Waits     where the kernel says that the thread runs, and its clock stands still all the same, it
 *           waits for a CPU (cpu_waits.h). It may stand at any instruction, so that its innermost
 *           frame is doubted (innermost.h).
 * Names     code objects may die as soon as the thread wakes up: the recorder checks that none
 *           did (recorder.h: expect and find).
 * Callers   the ticker only, between the sampler's start and the process's end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STILL_STACK_H
#define CPROF_STILL_STACK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../python/runtime.h"
#include "../record/recorder.h"
#include "../tags/request_view.h"
#include "../threads/threads.h"
#include "sleep_state.h"

/* Everything must live as long as the process; `blocked` are the ticker's blocked signals. */
void cprof_still_stack_setup(struct cprof_slot *slot, const struct cprof_python *python,
                             struct cprof_recorder *recorder,
                             const struct cprof_request_view *requests, const sigset_t *blocked);

/* A window begins. */
void cprof_still_stack_begin(void);

/* Does the thread's CPU clock stand where it stood at the last look? */
bool cprof_still_stack_stands(const struct cprof_thread *thread);

/* The thread's own state. A core keeps it as long as it lives; a C thread of the app's may have
 * left Python and freed it, which is asked in this way of reading: then 0, and the next scan looks
 * for its new state. */
uintptr_t cprof_still_stack_own_state(struct cprof_thread *thread, enum cprof_peek_way way);

/* Where the thread stands still: *ref is the record of its stack, and *state says how it does.
 * CPROF_RECORDED_UNREADABLE: it does not, or that could not be proved. */
enum cprof_recorded cprof_still_stack_find(struct cprof_thread *thread,
                                           struct cprof_sleep_state *state, uint32_t *ref);

#endif
