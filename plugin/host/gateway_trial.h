/* gateway_trial.h - whether the gateway's program runs at all.
 *
 * A program whose libraries are missing ends in the dynamic loader, before any line of its own: the
 * kernel has executed it, so that whoever did learns nothing. So it is run once as a child that has
 * to say its version, and what it says instead is read.
 *
 * Callers   the process that is about to become the gateway, single-threaded. Its SIGCHLD becomes
 *           the default.
 * Memory    the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_GATEWAY_TRIAL_H
#define CPROF_GATEWAY_TRIAL_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

/* False with the first line of what the program, the loader or the kernel says against it. One that
 * says nothing within ten seconds is ended, and taken to run: it may be on a slow disk. */
bool cprof_gateway_trial(const char *program, char *const *environment,
                         struct cprof_error *error) CPROF_MUST_USE;

#endif
