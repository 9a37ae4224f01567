/* slow_exceptions.h - requests that are slow by nature: long polls, websockets, event streams. They
 * are not followed as slow requests.
 *
 * Callers   adding: the master, while it parses options. Asking: the master and any thread of a
 *           worker, signal handlers too. Pure.
 * Trust     texts are a client's: bytes of any value, without an end of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SLOW_EXCEPTIONS_H
#define CPROF_SLOW_EXCEPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

#define CPROF_SLOW_EXCEPTIONS_MAX      32u
#define CPROF_SLOW_EXCEPTION_BYTES_MAX 200u

/* Zeros at first. */
struct cprof_slow_exceptions {
    uint32_t count;
    uint32_t bytes[CPROF_SLOW_EXCEPTIONS_MAX];
    char prefixes[CPROF_SLOW_EXCEPTIONS_MAX][CPROF_SLOW_EXCEPTION_BYTES_MAX]; /* without NUL */
};

/* Adds a prefix of paths: 2 to CPROF_SLOW_EXCEPTION_BYTES_MAX visible ASCII characters, the first
 * one a slash, none a question mark. False: it is none, or there are as many as may be; nothing is
 * added then. */
bool cprof_slow_exceptions_add(struct cprof_slow_exceptions *exceptions,
                               const char *prefix) CPROF_MUST_USE;

/* Whether the path, with or without its query, begins with one of the prefixes. */
CPROF_SIGSAFE bool cprof_slow_exceptions_cover(const struct cprof_slow_exceptions *exceptions,
                                               const char *path, uint32_t bytes);

/* Whether the first media type of an Accept header is text/event-stream: that is what browsers'
 * EventSource sends. A client that would take a stream among other types may get a plain answer. */
CPROF_SIGSAFE bool cprof_accepts_event_stream(const char *accept, uint32_t bytes);

#endif
