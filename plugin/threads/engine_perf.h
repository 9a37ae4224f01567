/* engine_perf.h - one perf event per thread: its user CPU time, without the tick's bias.
 *
 * A software task-clock event runs on a high-resolution timer that is armed only while its
 * thread runs; with exclude_kernel it signals only when that timer hits user mode, so that no
 * system call can be in progress (facts: 0 EINTR in 60,000 calls) and the sum of its signals is
 * the user time. It needs no privilege where perf_event_paranoid is 2 or less; Debian, Ubuntu and
 * Docker refuse it by default, and the CPU timer (engine_timer.h) then does all.
 *
 * Filters   some seccomp filters end the process that asks for an event: the master finds out at
 *           its start (ground/aside.h), and without a yes from there no process makes the call.
 * Period    fixed, so that not every signal is a sample: see perf_grid.h. PERF_EVENT_IOC_REFRESH,
 *           by which an event stops after one signal, must not be used instead: it hangs the whole
 *           machine with Linux 6.16 and 6.17, as async-profiler found out.
 * Callers   the ticker; cprof_engine_perf_ask: the master, before its first fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ENGINE_PERF_H
#define CPROF_ENGINE_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include "threads.h"

/* NULL if this process and those that it forks may have perf events, else why not, in a constant
 * text or strerror's. To be called once where profiles are to be taken, also if wall profiles alone
 * are: their running time is sampled by the same engine. */
const char *cprof_engine_perf_ask(void);

/* May this process's threads have perf events now? */
bool cprof_engine_perf_is_used(void);

/* From the next arming on no thread of this process gets one. */
void cprof_engine_perf_give_up(void);
bool cprof_engine_perf_is_given_up(void);

/* What it costs on average, in ns of CPU time, that an event of this period is switched off and on:
 * by one of the calling thread's own, which never signals. 0: cannot be told. Some hundred system
 * calls, a quarter of a millisecond in a virtual machine. */
uint64_t cprof_engine_perf_measure_switch(uint64_t period_ns);

/* Gives the thread a perf event, for a sample each period_ns of user time on average. False if it
 * is not allowed (cprof_engine_perf_ask; or this process has got a filter since), if the kernel
 * refuses or too few descriptors are left (descriptors.h), with errno set: the thread has none
 * then. */
bool cprof_engine_perf_arm(struct cprof_thread *thread, uint64_t period_ns);

/* The thread has used used_ns more of CPU time since it was armed or this was called: now and then
 * its event gets another step. Nothing happens where it has none. */
void cprof_engine_perf_follow(struct cprof_thread *thread, uint64_t period_ns, uint64_t used_ns);

/* The period is another one from now on; nothing happens where it has no event. */
void cprof_engine_perf_set_period(struct cprof_thread *thread, uint64_t period_ns);

/* Takes it away: disabled first, since a copy of the descriptor in a forked child would keep
 * the event signalling. Leaves a descriptor alone that is not the event any more. */
void cprof_engine_perf_disarm(struct cprof_thread *thread);

#endif
