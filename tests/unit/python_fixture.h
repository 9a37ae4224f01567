/* python_fixture.h - a real interpreter inside a test program, and code to run in it.
 *
 * Names: a test that uses it says at its top
 *     sources: tests/unit/python_fixture.c plugin/python/runtime.c
 *     flags: $(embedded_python)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PYTHON_FIXTURE_H
#define CPROF_PYTHON_FIXTURE_H

#include <Python.h>

#include "../../plugin/python/runtime.h"
#include "../../plugin/python/thread_state.h"

/* The interpreter as the plugin finds it. */
extern struct cprof_python python;

/* Starts the interpreter (isolated, without site) and finds it; `functions` become the module
 * `probe`. Ends the test program on failure, like all of this. */
void python_fixture_begin(PyMethodDef *functions);

/* Runs Python text as a module of its own; an exception ends the test program. */
void python_fixture_run(const char *text);

/* The stack of the calling thread from the caller's frame up to its end. */
struct cprof_stack_bounds python_fixture_stack(void);

#endif
