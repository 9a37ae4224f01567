/* start_arguments.h - the arguments of googlecloudprofiler.start() as texts.
 *
 * Errors    false, with an exception set. A value of a wrong type is a ValueError, as a wrong value
 *           is: apps catch what the official agent's page says, ValueError and NotImplementedError,
 *           and serve on without profiles.
 * Callers   a thread of the app's, with the GIL. Methods of the arguments may run (__fspath__,
 *           __index__, __bool__).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_START_ARGUMENTS_H
#define CPROF_START_ARGUMENTS_H

#include <Python.h>

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../ground/start_call.h"

#define CPROF_START_NUMBER_BYTES 24

/* The call, and what its texts lie in beside the arguments themselves. */
struct cprof_start_arguments {
    struct cprof_start_call call;
    char verbose[CPROF_START_NUMBER_BYTES], period_ms[CPROF_START_NUMBER_BYTES];
    PyObject *held[CPROF_START_PARAMETERS]; /* the arguments, which the app may let go meanwhile */
    PyObject *path; /* what a path-like argument turned out to be; NULL: there is none */
};

/* Fills *to, which wants to be released in either case. The texts live until then. */
bool cprof_start_arguments_read(struct cprof_start_arguments *to, PyObject *arguments,
                                PyObject *keywords) CPROF_MUST_USE;
void cprof_start_arguments_release(struct cprof_start_arguments *of);

#endif
