/* decorator.h - tags as decorators, written in Python: a call of a Python function cannot be
 * wrapped in less of C.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DECORATOR_H
#define CPROF_DECORATOR_H

#include <Python.h>

#include <stdbool.h>

#include "../../shared/base/attributes.h"

/* Gives the type of tag_type.h its `__call__`. In the module's start, with the GIL. False: an
 * exception is set. */
bool cprof_decorator_add(PyObject *tag_type) CPROF_MUST_USE;

#endif
