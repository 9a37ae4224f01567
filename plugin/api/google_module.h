/* google_module.h - the Python module `googlecloudprofiler`, by whose function start() apps ask for
 * Google's own agent: here the plugin answers.
 *
 * Built in  as the module cloudprofiler (module.h), and so found before a package of that name.
 * Answer    the host's: it takes what the configuration leaves open, or compares. What it refuses
 *           is a ValueError with the text of its error.
 * Callers   installing: the master, once, before the interpreter starts. What it offers: the app,
 *           in any process, thread and interpreter.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GOOGLE_MODULE_H
#define CPROF_GOOGLE_MODULE_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../ground/start_call.h"
#include "../python/runtime.h"

typedef bool cprof_start_answer_function(const struct cprof_start_call *call,
                                         struct cprof_error *error);

/* Adds the module. False: as cprof_module_install. */
bool cprof_google_module_install(const struct cprof_python *python,
                                 cprof_start_answer_function *answer,
                                 struct cprof_error *error) CPROF_MUST_USE;

#endif
