/* running_context.h - the running Python context (PEP 567) as an object that can be held on to.
 *
 * Callers   a thread of the app's that has the GIL. Before CPython 3.7 there are no contexts: then
 *           the thread state stands for one, and is held by whoever runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RUNNING_CONTEXT_H
#define CPROF_RUNNING_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime.h"

/* Sees to it that the calling thread, or the greenlet that it runs, has a context: it gets one
 * when the first variable is set. Leaves no exception behind. False: that failed. */
bool cprof_running_context_ensure(const struct cprof_python *python);

/* A reference to the context at `address`; nothing where a thread state's stands for it. */
void cprof_running_context_hold(const struct cprof_python *python, uintptr_t address);
void cprof_running_context_let_go(const struct cprof_python *python, uintptr_t address);

#endif
