/* sleep_state.h - is a thread asleep, in what, and how long did it wait for a CPU: from /proc.
 *
 * /proc/self/task/TID/syscall says "running", or the system call with its arguments and the
 * program counter (proc(5)). Where it cannot be opened (a server that was started as root with
 * `uid =` until it reloads, hardened kernels, gVisor), stat says whether and wchan in which
 * function of the kernel.
 *
 * Callers   the ticker only. Descriptors stay open between looks where the ticker has a table of
 *           its own that the app cannot reach.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SLEEP_STATE_H
#define CPROF_SLEEP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../threads/threads.h"

struct cprof_sleep_state {
    uint32_t state;  /* enum cprof_state; CPROF_STATE_FUTEX also for the interpreter's lock there */
    uintptr_t pc;    /* where user code will go on, 0: not known */
    uintptr_t futex; /* with CPROF_STATE_FUTEX: its address, 0: not known */
    uint16_t system_call; /* its number + 1, 0: not known, or none */
    bool is_unsaid;       /* the kernel names no function now, and may later in the same sleep */
    bool is_awake;        /* the kernel says so: it runs or waits for a CPU */
};

/* A window begins. `keeps_files`: descriptors may stay open. */
void cprof_sleep_state_begin(bool keeps_files);

/* False: the thread is awake, or is gone. It may wake up at any time. */
bool cprof_sleep_state_read(struct cprof_thread *thread, struct cprof_sleep_state *state);

/* Whether a thread that was asleep is awake again. */
bool cprof_sleep_has_ended(struct cprof_thread *thread);

/* How long the thread has waited for a CPU since it was born (schedstat, proc(5)), without a wait
 * that has not ended. False: the kernel does not tell. */
bool cprof_sleep_run_queue(struct cprof_thread *thread, uint64_t *run_queue_ns);

/* The number of the processor that the thread runs on, or waits for; -1: not known. */
int cprof_sleep_processor(struct cprof_thread *thread);

/* When the thread `tid` was last seen running by the scheduler, by the clock of its processor, and
 * its CPU clock then (sched: "se.exec_start" and "se.sum_exec_runtime" in kernel/sched/debug.c).
 * Neither is brought up to date for the question. False: kernels before 6.15 may not tell. */
struct cprof_last_run {
    uint64_t at_ns, cpu_ns;
};

bool cprof_sleep_last_run(pid_t tid, struct cprof_last_run *run);

/* Closes what was kept open for the thread. */
void cprof_sleep_close_files(struct cprof_thread *thread);

/* Whether the kernel refuses what cprof_sleep_state_read would rather ask. */
bool cprof_sleep_state_is_coarse(void);

#endif
