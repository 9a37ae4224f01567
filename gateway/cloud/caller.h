/* caller.h - one call to the API at a time, with a token: HTTP in front, troubles behind.
 *
 * Callers   the gateway's thread, on the loop.
 * Tokens    each call gets one first; a token that the API refuses (401) is dropped and the call
 *           made once more with a new one. The token is in memory only while a request is built.
 * Calls     `replied` is called once for a call that was not cancelled, never from within
 *           cprof_caller_call. A new call may be made in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_CALLER_H
#define CPROF_CLOUD_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/config.h"
#include "../credentials/credentials.h"
#include "../http/client.h"
#include "troubles.h"

#define CPROF_REPLY_DETAIL_BYTES 600u

/* What came of a call; borrowed for the callback. */
struct cprof_reply {
    enum cprof_trouble trouble; /* CPROF_TROUBLE_NONE: body is the API's answer */
    long status;                /* of HTTP; 0: no answer */
    const char *body;
    size_t body_bytes;
    uint64_t retry_delay_ns;               /* that the server asks for; 0: none */
    char detail[CPROF_REPLY_DETAIL_BYTES]; /* what the server or a library said of the trouble */
};

typedef void cprof_replied(void *context, const struct cprof_reply *reply);

struct cprof_caller;

/* Everything is borrowed. NULL without memory. */
struct cprof_caller *cprof_caller_create(struct cprof_http_client *client,
                                         struct cprof_credentials *credentials,
                                         const struct cprof_config *config);
/* Cancels. NULL does nothing. */
void cprof_caller_destroy(struct cprof_caller *caller);

struct cprof_call {
    const char *method;
    const char *path; /* behind the endpoint; copied */
    char *body;       /* malloc'd, becomes the caller's */
    uint32_t deadline_ms;
};

/* No other call may be under way. */
void cprof_caller_call(struct cprof_caller *caller, const struct cprof_call *call,
                       cprof_replied *replied, void *context);

#endif
