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
};

/* A window begins. `keeps_files`: descriptors may stay open. */
void cprof_sleep_state_begin(bool keeps_files);

/* False: the thread runs, waits for a CPU, or is gone. It may wake up at any time. */
bool cprof_sleep_state_read(struct cprof_thread *thread, struct cprof_sleep_state *state);

/* The time that the thread has waited for a CPU since it was born (schedstat, proc(5)). False:
 * the kernel does not tell. */
bool cprof_sleep_run_queue(struct cprof_thread *thread, uint64_t *run_queue_ns);

/* Closes what was kept open for the thread. */
void cprof_sleep_close_files(struct cprof_thread *thread);

/* Whether the kernel refuses what cprof_sleep_state_read would rather ask. */
bool cprof_sleep_state_is_coarse(void);

#endif
