/* tag_type.h - the type `cloudprofiler.tag`: a context manager, and a decorator (decorator.h).
 *
 * Callers   the module's start, in each interpreter that imports it, with the GIL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAG_TYPE_H
#define CPROF_TAG_TYPE_H

#include <Python.h>

/* A new reference to a type of this interpreter's own; NULL: an exception is set. */
PyObject *cprof_tag_type_create(void);

#endif
