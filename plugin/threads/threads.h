/* threads.h - the registry of this process's threads, and how a tick finds its record.
 *
 * A record is named by a ticket: index and generation in the 32 bits that a timer's signal
 * carries (si_value). The handler needs no thread-local storage to find it, and a late signal of
 * a thread that is gone is recognised by generation and thread id.
 *
 * Filling   uWSGI's core threads register themselves when they start; the ticker adds what it
 *           finds in /proc/self/task while a window is open, and removes what is gone.
 * Callers   any thread, a handler too; each function says which.
 * Owners    a record's fields belong to the ticker, except `timing`, `pointer`, `grid` (perf_grid.h
 *           tells what of it) and `remembered`, which belong to the thread's own handler while it
 *           is armed. Handlers read the rest.
 * Memory    one private mapping, made once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_THREADS_H
#define CPROF_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../../shared/base/attributes.h"
#include "../python/thread_state.h"

#define CPROF_THREADS_MAX       4096u
#define CPROF_THREAD_NAME_BYTES 64u
#define CPROF_DESCRIPTORS_MAX   8192

/* When the thread's next sample is due, in its own CPU time. */
struct cprof_timing {
    _Atomic uint64_t next_ns;     /* absolute */
    _Atomic uint64_t interval_ns; /* since the one before: its weight */
    uint64_t random;              /* state of the generator (random.h) */
};

/* Which overflows of the thread's perf event are samples: see perf_grid.h. */
struct cprof_perf_grid {
    struct cprof_timing due;   /* the handler's */
    _Atomic uint64_t step_ns;  /* between two overflows */
    _Atomic uint64_t reach_ns; /* how far back the next overflow takes what is due */
    uint64_t used_ns;          /* CPU time since the step was drawn */
    uint64_t random;           /* the ticker's */
};

/* How the thread's wall time is followed: see offcpu.h. The ticker's alone. */
struct cprof_sleep {
    bool is_followed;       /* the clocks below are known */
    bool has_account;       /* the kernel says how long it waits for a CPU */
    bool is_known;          /* the thread is in `ref`, as long as its CPU clock stands still */
    bool is_queued;         /* it waits for a CPU, and is in `queued_ref` */
    bool is_pushed_aside;   /* it may wait there because the ticker runs, and for that alone */
    uint32_t ref;           /* record of the stack in which it was last seen asleep, or NO_REF */
    uint32_t queued_ref;    /* of the one in which it was last seen waiting for a CPU */
    uint64_t queued_ns;     /* how long it waits there by now, as far as is known */
    uint32_t still_looks;   /* that have found it where it was asleep, in a row */
    uint64_t unasked_ns;    /* their weight, as far as none has asked whether it was woken */
    uint64_t followed_ns;   /* how long it is followed, */
    uint64_t waited_ns;     /* and what of it went to the run queue */
    uint32_t runnable_ref;  /* where its run-queue time is summed, or NO_REF */
    bool is_unnamed;        /* `ref` says only that it sleeps; the kernel may tell more later */
    uint32_t unnamed_looks; /* booked there in this sleep, to be moved then */
    int64_t unnamed_ns;
    uint64_t wall_seen_ns;
    uint64_t cpu_seen_ns;
    uint64_t run_queue_seen_ns;
    int64_t due_ns;   /* time off the CPU that is not booked yet; may be negative */
    int status_file;  /* /proc/self/task/TID/syscall, -1: not open */
    int account_file; /* .../schedstat */
    int stat_file;    /* .../stat */
    int wait_file;    /* .../wchan */
};

/* No file is open, nothing is known. CPROF_NO_REF is 0. */
#define CPROF_SLEEP_NONE                                                                           \
    {                                                                                              \
        .status_file = -1, .account_file = -1, .stat_file = -1, .wait_file = -1                    \
    }

struct cprof_thread {
    _Atomic uint32_t state; /* generation << 2 | enum thread_state of threads.c */
    int32_t core;           /* uWSGI's core, -1 for a thread of the app */
    pid_t tid;
    _Atomic bool armed;           /* it has a timer */
    _Atomic int perf_descriptor;  /* of its perf event, -1: none; the timer then does all */
    uint64_t perf_id;             /* the event's own number, to recognise the descriptor by */
    bool signal_blocked;          /* seen in this window, and counted */
    uint32_t looks;               /* that the ticker had at it in this window */
    bool seen;                    /* mark of the ticker's present round */
    int timer;                    /* while armed; the kernel's own number, see kernel_clock.h */
    uint64_t clock_seen_ns;       /* its CPU clock at the last look */
    uint64_t lost_next_ns;        /* next_ns at the last look, if it was overdue then */
    _Atomic uint32_t tag_ref;     /* of the present epoch, CPROF_NO_REF: not written yet */
    _Atomic uint32_t has_state;   /* 1: it has run Python; only then may its handler ask Python */
    _Atomic uintptr_t pointer;    /* the thread pointer, 0 until its first tick */
    uintptr_t stack_high;         /* upper end of its C stack, 0: ask the thread pointer */
    uintptr_t stack_low;          /* and its lower end, where the upper one is known */
    _Atomic uint64_t left_out_ns; /* ticks that found no room on the stack; the ticker takes it */
    struct cprof_timing timing;   /* of the timer */
    struct cprof_perf_grid grid;  /* while it has a perf event */
    struct cprof_remembered_state remembered;
    struct cprof_remembered_state own; /* its thread state as the ticker knows it */
    struct cprof_sleep sleep;
    char name[CPROF_THREAD_NAME_BYTES];
};

/* Maps an empty registry, once a process; what a parent process had registered is left behind. */
bool cprof_threads_create(void) CPROF_MUST_USE;

/* Takes a free record for `tid`; NULL when all are taken. The caller fills it and then calls
 * cprof_thread_publish. Any thread of the process, not a handler. */
struct cprof_thread *cprof_thread_add(pid_t tid);
void cprof_thread_publish(struct cprof_thread *thread);

/* Frees a record; tickets of it are void from then on. The ticker only. */
void cprof_thread_remove(struct cprof_thread *thread);

/* The records in turn: start with NULL, ends with NULL. Only published ones. */
struct cprof_thread *cprof_thread_next(const struct cprof_thread *previous);

/* The published record of `tid`, or NULL; a search, for callers that ask rarely. A core's own
 * registration comes before one that the ticker made when it met the thread first. */
struct cprof_thread *cprof_thread_of_tid(pid_t tid);

/* How many cores have registered. */
uint32_t cprof_thread_core_count(void);

/* A seed for random numbers of this thread: a different one at each call and in each process. */
CPROF_SIGSAFE uint64_t cprof_thread_seed(const struct cprof_thread *thread);

/* What a timer's signal carries, and back. NULL: the record is gone or another thread's. */
int cprof_thread_ticket(const struct cprof_thread *thread);
CPROF_SIGSAFE struct cprof_thread *cprof_thread_of_ticket(int ticket);

/* The same for signals that carry a descriptor: notes whose it is (NULL: nobody's any more), and
 * back. False: the number is too high to be noted. */
bool cprof_thread_note_descriptor(int descriptor, const struct cprof_thread *thread);
CPROF_SIGSAFE struct cprof_thread *cprof_thread_of_descriptor(int descriptor);

#endif
