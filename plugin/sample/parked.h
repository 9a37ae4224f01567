/* parked.h - the stacks of greenlets that wait while their thread sleeps (gevent).
 *
 * A thread that sleeps in gevent's hub says nothing of the requests that wait: each has a parked
 * greenlet with a stack of its own. While the thread is proven to sleep, no switch can be under
 * way, so that every parked stack stands still, too. While it runs, a stack stands still that was
 * parked before and after it was walked, if the thread counts its switches (greenlet.h) and made
 * none in between.
 *
 * Weight    each look gives one weight to every greenlet that is parked then; these weights
 *           together are the window's length. Were greenlets looked at only while the thread
 *           sleeps, its busy time would go to those that wait most. So it does where switches are
 *           not counted (CPython 3.6, greenlet before 1.0), and a thread that is never found
 *           asleep hides its greenlets there. Their time is beside the thread's, not part of it:
 *           twenty greenlets that sleep for a second make twenty seconds of wall time.
 * Callers   the ticker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PARKED_H
#define CPROF_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "../python/runtime.h"
#include "../record/recorder.h"
#include "../threads/threads.h"

/* One look at the greenlets of a thread. */
struct cprof_parked_look {
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    struct cprof_context *context; /* its `way` is chosen */
    struct cprof_thread *thread;
    uintptr_t thread_state; /* under which its greenlets run, 0: not known */
    bool (*stands_still)(const struct cprof_thread *thread); /* since before the look began; NULL:
                                                              * it is awake */
    uint64_t now_ns;
    uint64_t gap_mean_ns; /* as in cprof_offcpu_look */
};

/* The thread has run since the last look: each greenlet may be elsewhere now. */
void cprof_parked_look(const struct cprof_parked_look *look);

/* Nothing is known of the greenlets this time. */
void cprof_parked_miss(uint64_t now_ns, uint64_t gap_mean_ns);

/* The thread has slept since the last look: all are where they were. */
void cprof_parked_book(struct cprof_recorder *recorder, uint64_t now_ns, uint64_t gap_mean_ns);

/* The window has ended. */
void cprof_parked_forget(void);

#endif
