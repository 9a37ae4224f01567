/* request_view.h - what the host knows of the requests that its core threads serve.
 *
 * Callers   the sampler, in any thread of a worker and in signal handlers. What is read of a core
 *           that another thread serves may be torn: it counts if that thread slept all the while.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUEST_VIEW_H
#define CPROF_REQUEST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/config.h"

/* Any of the functions may be NULL: the host does not know. */
struct cprof_request_view {
    bool (*is_running)(int core);        /* is the core serving a request? */
    uintptr_t (*thread_state)(int core); /* the thread state that it does so under, where that is
                                          * not the core's own; 0 otherwise */
    uint64_t (*stamp)(int core);         /* differs from that of the core's other requests, and is
                                          * not 0; 0: it serves none */
    /* Copies a part of the request, at most `to_bytes`, and returns how long it is; 0: there is
     * no request, or it has none. */
    uint32_t (*text)(int core, enum cprof_tag_bit part, char *to, uint32_t to_bytes);
    uint64_t (*start_us)(int core); /* when it came, unix time; 0: there is none */
    /* Copies its URI without the query, as `text` does. */
    uint32_t (*uri)(int core, char *to, uint32_t to_bytes);
    uint32_t (*serving_max)(void); /* how many cores serve a request now, at most */
    bool (*is_excepted)(int core); /* is it slow by nature, so that it is not followed for that? */
    bool cores_share_thread;       /* several requests at once in one thread (gevent, asyncio) */
};

#endif
