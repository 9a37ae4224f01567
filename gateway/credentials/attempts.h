/* attempts.h - one request, sent again with growing gaps while its failure may pass by itself.
 *
 * Callers   the gateway's thread, on the loop.
 * Again     after a status of 5xx, 408 or 429 and after a connection that failed, was late or
 *           broke; not after a certificate that is not trusted, and not after other statuses.
 * Gaps      1 s, doubled each time, a tenth more or less, so that many instances do not come at
 *           once; or what Retry-After says, up to a minute.
 * Memory    the caller's; the request is borrowed until `finished`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ATTEMPTS_H
#define CPROF_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../http/client.h"
#include "../loop/loop.h"

struct cprof_attempts {
    struct cprof_http_client *client;
    struct cprof_loop *loop;
    struct cprof_loop_timer timer;
    const struct cprof_http_request *request;
    struct cprof_http_call *call; /* NULL in a gap */
    unsigned left;
    uint64_t gap_ns;
    cprof_http_finished *finished;
    void *context;
};

/* Client and loop are borrowed. */
void cprof_attempts_init(struct cprof_attempts *attempts, struct cprof_http_client *client,
                         struct cprof_loop *loop);

/* Sends the request up to `count` times. `finished` is called once, with the last answer, never
 * from within; another start may be made in it. False with the error: nothing was started. */
bool cprof_attempts_start(struct cprof_attempts *attempts, unsigned count,
                          const struct cprof_http_request *request, cprof_http_finished *finished,
                          void *context, struct cprof_error *error) CPROF_MUST_USE;

/* Ends what is under way, without a callback. Does nothing if nothing is. */
void cprof_attempts_cancel(struct cprof_attempts *attempts);

/* May the failure pass by itself? */
bool cprof_attempts_is_transient(const struct cprof_http_answer *answer);

#endif
