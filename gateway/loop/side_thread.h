/* side_thread.h - does one thing after the other that may take long, beside the loop.
 *
 * A job is given from the loop, worked off in the thread and brought back to the loop. Nothing
 * that the loop does ever waits for it, but for cprof_side_thread_end, which waits for a bounded
 * time. The thread is made for the first job, sleeps without a wake-up while there is none, and
 * blocks all signals.
 *
 * Order     jobs are worked off as they come; urgent ones before all others, but one by one: after
 *           each of them comes one of the others, if one waits.
 * Bounds    so many jobs and so many bytes wait, and so many urgent jobs. One job is taken as long
 *           as those that wait are within the bound, however large it is itself.
 * No thread where the system refuses it (a limit of processes, a filter of system calls), jobs are
 *           done at once, on the loop; one warning. It is tried again with each job.
 * Callers   the gateway's thread; `work` runs in the side thread.
 * Memory    a job is its owner's before it is taken and from `done` on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SIDE_THREAD_H
#define CPROF_SIDE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "loop.h"

struct cprof_side_thread;

struct cprof_side_job {
    size_t bytes; /* what it holds while it waits */
    bool is_urgent;
    /* In the thread: touches the job and what belongs to the thread alone. */
    void (*work)(struct cprof_side_job *job);
    /* On the loop, afterwards, once; from within cprof_side_thread_take where there is no thread.
     * was_worked false: the gateway ends before it came to it. */
    void (*done)(struct cprof_side_job *job, bool was_worked);
    struct cprof_side_job *next; /* private */
};

struct cprof_side_rule {
    const char *name; /* of the thread, at most 15 bytes */
    const char *what; /* it is for, in the warning: "files" */
    unsigned jobs_max;
    unsigned urgent_max;
    size_t bytes_max;
};

/* Loop and rule are borrowed. NULL: no descriptor, no memory, or no place in the loop. */
struct cprof_side_thread *cprof_side_thread_create(struct cprof_loop *loop,
                                                   const struct cprof_side_rule *rule,
                                                   struct cprof_error *error) CPROF_MUST_USE;

/* Works off what was taken for at most wait_ns; what is not begun then is given back as not
 * worked. False: a job still runs, as on a disk that hangs. That job is never brought back, and
 * what it uses must stay. NULL is fine. */
bool cprof_side_thread_end(struct cprof_side_thread *side, uint64_t wait_ns);

/* False: too much waits, and the job is the caller's as before. `side` NULL: it is done at once. */
bool cprof_side_thread_take(struct cprof_side_thread *side,
                            struct cprof_side_job *job) CPROF_MUST_USE;

/* Jobs that were taken and not brought back yet, urgent ones aside; 0 for NULL. */
unsigned cprof_side_thread_waiting(const struct cprof_side_thread *side);

#endif
