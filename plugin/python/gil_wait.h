/* gil_wait.h - does a sleeping thread wait for the interpreter's lock: asked of the C library, for
 * where the kernel does not tell the futex.
 *
 * The lock is a condition variable. While glibc waits for one (since 2.25), the thread's descriptor
 * points to a cleanup handler whose argument says for which, in case the thread is cancelled
 * (nptl/pthread_cond_wait.c). The handler is popped before the wait returns. Where the C library
 * keeps no such thing, nothing is found, and a wait is called one for a lock.
 *
 * Callers   the ticker, for a thread that it proves to be asleep before and afterwards; the
 *           handler, for its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_GIL_WAIT_H
#define CPROF_PYTHON_GIL_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "runtime.h"

/* Whether the thread `tid`, one of whose thread states lies at `state` (0: not known), waits in a
 * condition variable of the interpreter's lock. False also if that is not known. */
CPROF_SIGSAFE bool cprof_gil_is_awaited(const struct cprof_python *python, enum cprof_peek_way way,
                                        uintptr_t state, pid_t tid);

#endif
