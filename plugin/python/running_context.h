/* running_context.h - the running Python context (PEP 567) as an object that can be held on to.
 *
 * Address   stands for the context in tag_sets.h. Before CPython 3.7 there are no contexts: then
 *           the thread state's address stands for one, and is held by whoever runs it.
 * Callers   a thread that has the GIL and a thread state: nothing is read that could be gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_RUNNING_CONTEXT_H
#define CPROF_PYTHON_RUNNING_CONTEXT_H

#include <stdint.h>

#include "runtime.h"

/* The address that stands for the context of the calling thread, or of the greenlet that it runs.
 * One that has none yet gets one: the interpreter makes them when the first variable is set.
 * 0: that failed; no exception is left behind. */
uintptr_t cprof_running_context(const struct cprof_python *python);

/* The one inside of which the context at `address` was entered, which runs on the calling thread;
 * 0: there is none. */
uintptr_t cprof_running_context_outer(const struct cprof_python *python, uintptr_t address);

/* A reference to the context at `address`, which the caller knows to be alive; nothing where a
 * thread state stands for it. Giving back the last one frees it. */
void cprof_running_context_hold(const struct cprof_python *python, uintptr_t address);
void cprof_running_context_let_go(const struct cprof_python *python, uintptr_t address);

#endif
