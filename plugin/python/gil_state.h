/* gil_state.h - does a thread have the interpreter's lock.
 *
 * Up to 3.11 the interpreter knows the state of the thread that has the lock, 3.12's lock knows
 * who had it last and whether it is taken, from 3.13 on a thread state says whether it is attached,
 * which it is while its thread has the lock.
 *
 * Callers   the handler, for its own thread; the ticker, for a thread that it proves to be asleep
 *           before and afterwards: what a sleeper has, it keeps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_GIL_STATE_H
#define CPROF_PYTHON_GIL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "peek.h"
#include "runtime.h"

/* Whether the calling thread, which runs under `state`, has the lock. Calls the interpreter's
 * getter: only for threads that have run Python. */
CPROF_SIGSAFE bool cprof_gil_is_mine(const struct cprof_python *python, uintptr_t state);

/* Whether the sleeping thread that runs under `state` has the lock. False also where that cannot
 * be read. */
CPROF_SIGSAFE bool cprof_gil_is_of(const struct cprof_python *python, enum cprof_peek_way way,
                                   uintptr_t state);

#endif
