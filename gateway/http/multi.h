/* multi.h - one of libcurl's multi handles on the gateway's loop: its sockets are watches, its
 * timeout is a timer.
 *
 * Callers   the gateway's thread, on the loop.
 * Memory    it is the caller's and stays where it is; its address is libcurl's and the
 *           loop's.
 * Idle      no watch and no timer while there is no transfer: an open connection that nobody uses
 *           costs no wake-up, and is looked at when the next transfer wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HTTP_MULTI_H
#define CPROF_HTTP_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../loop/loop.h"

/* For each connection two addresses that are tried at once, and the resolver's descriptor. */
#define CPROF_HTTP_MULTI_WATCHES   12
#define CPROF_HTTP_CONNECTIONS_MAX 4

struct cprof_http_multi;

struct cprof_http_multi_watch {
    struct cprof_loop_watch watch; /* fd -1: free */
    struct cprof_http_multi *multi;
};

struct cprof_http_multi {
    CURLM *handle;
    struct cprof_loop *loop;
    struct cprof_loop_timer timer;
    struct cprof_http_multi_watch watches[CPROF_HTTP_MULTI_WATCHES];
    uint64_t libcurl_due_ns, wake_ns;
    bool starved; /* a socket found no watch: transfers may hang; the owner ends them */
    void (*turned)(void *context, uint64_t now_ns);
    void *context;
};

/* `turned` is called when libcurl has worked, or when the time set by cprof_http_multi_wake has
 * come; transfers may have ended. On failure nothing is left to be closed. */
bool cprof_http_multi_open(struct cprof_http_multi *multi, struct cprof_loop *loop,
                           long connections_max, void (*turned)(void *context, uint64_t now_ns),
                           void *context, struct cprof_error *error) CPROF_MUST_USE;

/* Closes all connections. All transfers were removed. One of zeros is left alone. */
void cprof_http_multi_close(struct cprof_http_multi *multi);

/* Has `turned` called at this time (CLOCK_MONOTONIC) at the latest; CPROF_LOOP_NEVER: no more. */
void cprof_http_multi_wake(struct cprof_http_multi *multi, uint64_t wake_ns);

#endif
