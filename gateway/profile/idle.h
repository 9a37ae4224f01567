/* idle.h - which stacks off the CPU belong to threads that only wait for work.
 *
 * The sampler says it of threads without a Python frame. A gevent server has frames while it
 * waits: those of gevent's hub, and greenlets in which uWSGI itself sleeps. Such a stack has no
 * frame of the app's: all its files are in the one directory that is gevent's.
 *
 * Callers   the gateway's thread. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_IDLE_H
#define CPROF_IDLE_H

#include <stdbool.h>

#include "../../shared/segment/layout.h"
#include "log_reader.h"

/* Whether a sound stack of `view` is one of a thread or greenlet without work. */
bool cprof_stack_is_idle(const struct cprof_log_view *view, const struct cprof_stack_record *stack);

#endif
