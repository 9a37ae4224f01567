/* module.h - the Python module `cloudprofiler`, by which an app says what its samples are of.
 *
 * Built in  the module stands in the interpreter's table of built-in modules, so that an app under
 *           this server imports it with nothing installed, at any time and in any of its
 *           interpreters. It is there whether anything is sampled or not.
 * Callers   installing: the master, once, before the interpreter starts. What it offers: the app.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_MODULE_H
#define CPROF_MODULE_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "scope.h"

/* Adds the module. Both pointers must live as long as the process. False: this interpreter lacks
 * a function that is needed, or it already runs, when its table cannot be added to any more. */
bool cprof_module_install(const struct cprof_python *python, const struct cprof_scope_host *host,
                          struct cprof_error *error) CPROF_MUST_USE;

#endif
