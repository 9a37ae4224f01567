/* ticker.h - the one thread of ours in a sampling process: it opens and closes windows there.
 *
 * Outside a window it sleeps on the doorbell's futex, without a timeout. In one it wakes one to ten
 * times a second: arms timers for new threads, forgets dead ones, publishes the CPU clocks; and, if
 * wall time is asked for, each period or more rarely, to look at threads that sleep. It blocks all
 * signals but the fault signals, never takes the GIL, and has a descriptor table of its own with
 * nothing but the standard streams in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TICKER_H
#define CPROF_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../python/runtime.h"
#include "../record/recorder.h"

/* What the thread works with. */
struct cprof_ticker_work {
    const struct cprof_slot_mapping *mapping;
    const struct cprof_python *python;
    struct cprof_recorder *recorder;
    uint32_t incarnation;
    uint32_t ceiling_hundredths; /* cloudprofiler-max-overhead, of a per cent; 0: none */
    uint32_t core_count;         /* threads of uWSGI's that the process will have */
    uint32_t request_count;      /* requests that it can serve at the same time */
    struct cprof_request_view requests;
};

/* Starts the thread; everything pointed to must live as long as the process. Once a process. */
bool cprof_ticker_start(const struct cprof_ticker_work *work,
                        struct cprof_error *error) CPROF_MUST_USE;

/* At the end of the process, after the guard was cleared: waits at most 50 ms until the ticker
 * is out of the interpreter's memory, without a lock: exit() may run in a signal handler. */
CPROF_SIGSAFE void cprof_ticker_leave(void);

#endif
