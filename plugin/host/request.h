/* request.h - the request that a core of this worker serves now, for the sampler.
 *
 * Cores     uWSGI's places for one request at a time: with `threads` each has a thread, with
 *           gevent and other loops they share the main thread.
 * Memory    uWSGI's tables of workers, cores and apps are mapped before the first fork and never
 *           move. Every index is checked, so that a stale one reads a wrong value, never a wrong
 *           address.
 * Callers   any thread of a worker, signal handlers too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUEST_H
#define CPROF_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/attributes.h"

/* Tells the thread state of the process's main thread in the main interpreter, by which apps
 * there are told from apps in interpreters of their own. Once, before the other calls. */
void cprof_request_note_main_state(uintptr_t main_thread_state);

/* Whether `core` has a request, from before its first byte is read until after it is logged.
 * Always false in mules and spoolers. */
CPROF_SIGSAFE bool cprof_request_is_running(int core);

/* The PyThreadState under which the app of the core's present request runs, where uWSGI swaps it
 * in because the app has an interpreter of its own (plugins/python/wsgi_handlers.c). 0: there is
 * no request, or it runs under the thread's own state. The state may be swapped in a moment
 * later or out a moment earlier than this says. */
CPROF_SIGSAFE uintptr_t cprof_request_thread_state(int core);

#endif
