/* cpu_waits.h - threads that wait for a CPU: how long, in which stack, and whether the ticker
 * itself makes them wait.
 *
 * How long  is the kernel's account of the thread (schedstat, sleep_state.h). It is added up in one
 *           record of the thread (CPROF_STACK_RUNNABLE), when a wait has ended.
 * Where     a look finds: each gives the stack in which the thread waits its weight as a part in
 *           that account (docs/time.md).
 * Found     a thread that the kernel calls running and whose clock stands still waits. So does one
 *           that was asleep and has been woken, though its clock still stands: that takes one more
 *           call of the kernel, which is spared where the thread hardly ever waits.
 * Needed    CPU clocks that are fine: where they move by ticks (gVisor), a thread that runs seems
 *           to stand still.
 * Callers   the ticker only, between the sampler's start and the process's end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CPU_WAITS_H
#define CPROF_CPU_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "../record/recorder.h"
#include "../threads/threads.h"

/* Both must live as long as the process. */
void cprof_cpu_waits_setup(struct cprof_slot *slot, struct cprof_recorder *recorder);

/* A window begins. */
void cprof_cpu_waits_begin(void);

/* The ticker goes to sleep now, with this CPU clock of its own. */
void cprof_cpu_waits_rest(uint64_t ticker_cpu_ns);

/* Can a wait of this thread be told from running? */
bool cprof_cpu_waits_are_seen(const struct cprof_thread *thread);

/* Books what the kernel's account has grown by since it was last read, and takes it off what is
 * due. */
void cprof_cpu_waits_take_account(struct cprof_thread *thread);

/* A look of this weight finds that the thread stands still and waits, in the stack of `ref`. */
void cprof_cpu_waits_begin_one(struct cprof_thread *thread, uint32_t ref, uint64_t weight_ns);

/* Another one finds it there still. */
void cprof_cpu_waits_book(const struct cprof_sleep *sleep, uint64_t weight_ns);

/* A look of this weight finds that a thread that was asleep has not run since. Returns the weight
 * of the wait that has begun, or 0: it is asleep, or was not asked. */
uint64_t cprof_cpu_waits_ask(struct cprof_thread *thread, uint64_t weight_ns);

/* Is the thread one that often waits? */
bool cprof_cpu_waits_often(const struct cprof_sleep *sleep);

/* Something ends here, a window or the following of the thread: books a wait that has not ended. */
void cprof_cpu_waits_book_pending(struct cprof_thread *thread);

#endif
