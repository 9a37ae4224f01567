/* request.h - the request that a core of this worker serves now, for the sampler.
 *
 * Cores     uWSGI's places for one request at a time: with `threads` each has a thread, with
 *           gevent and other loops they share the main thread.
 * Memory    uWSGI's tables of workers, cores and apps are mapped before the first fork and never
 *           move. Every index is checked, so that a stale one reads a wrong value, never a wrong
 *           address.
 * Callers   any thread of a worker, signal handlers too; the master where a function says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUEST_H
#define CPROF_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "slow_exceptions.h"

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

/* A number that tells the core's present request from its others, never 0; 0: there is none. */
CPROF_SIGSAFE uint64_t cprof_request_stamp(int core);

/* How many segments of a path cprof_request_text gives. Once, before the other calls. */
void cprof_request_note_path_segments(uint32_t segments);

/* Copies a part of the core's present request, at most `to_bytes`, and returns how many bytes
 * came: its method, its host without the port, its path's first segments without the query, the
 * mount point of its app ("/" for the default one). 0: no request, or it has no such part (yet).
 * Bytes are as the client sent them. */
CPROF_SIGSAFE uint32_t cprof_request_text(int core, enum cprof_tag_bit part, char *to,
                                          uint32_t to_bytes);

/* When the core's present request came, unix time in microseconds; 0: there is none. */
CPROF_SIGSAFE uint64_t cprof_request_start_us(int core);

/* Copies the present request's URI up to its query, at most `to_bytes`, and returns how many bytes
 * came; 0: no request, or it has none (yet). */
CPROF_SIGSAFE uint32_t cprof_request_uri(int core, char *to, uint32_t to_bytes);

/* How many cores of this worker have a request now, at most. Where cores share a thread uWSGI keeps
 * those that are free on a stack, which it begins with the highest one on top: those that serve
 * are few, and have high numbers, until all have served at once. */
uint32_t cprof_request_serving_max(void);

/* Paths that are slow by nature. Once, before the first fork; borrowed for good. */
void cprof_request_note_slow_exceptions(const struct cprof_slow_exceptions *exceptions);

/* Whether the present request is slow by nature: its URI has such a path, it is a websocket, or its
 * client asks for a stream of events. False: it is not, there is none, or its headers have not come
 * yet. Of a core of this worker; the master asks for those of any, and counts workers from 1. */
CPROF_SIGSAFE bool cprof_request_is_excepted(int core);
bool cprof_request_is_excepted_in(int worker, int core);

/* Whether cores share a thread in this server (gevent, asyncio and other loops). */
bool cprof_request_cores_share_thread(void);

#endif
