/* api_trouble.h - what an answer of the API that is an error says.
 *
 * Callers   the gateway's thread. Pure: no socket, no clock, no log.
 * Forms     {"error": {status, message, details}} as google.rpc.Status in JSON; without details and
 *           with "errors", as older front ends write it; anything else, as proxies write it.
 * Trust     none. A body that is not of the API is not repeated: who knows what a proxy quotes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_API_TROUBLE_H
#define CPROF_API_TROUBLE_H

#include <stddef.h>
#include <stdint.h>

#define CPROF_API_ANSWER_BYTES_MAX (256u * 1024u)
#define CPROF_API_TEXT_BYTES       256u

/* An answer that is an error. Texts are printable UTF-8, cut at their size; empty: not said. */
struct cprof_api_trouble {
    char status[CPROF_API_TEXT_BYTES];  /* "PERMISSION_DENIED" */
    char message[CPROF_API_TEXT_BYTES]; /* the server's sentence */
    /* Of google.rpc.ErrorInfo: "SERVICE_DISABLED"; else of "errors": "rateLimitExceeded". */
    char reason[CPROF_API_TEXT_BYTES];
    uint64_t retry_delay_ns; /* of RetryInfo, or of the message's "backoff for 33m0s"; 0: none */
};

/* Reads the body of an answer of status 400 and above, whatever it is: what is not JSON, larger
 * than CPROF_API_ANSWER_BYTES_MAX, or of other shapes leaves the fields empty. Never fails. */
void cprof_api_read_trouble(struct cprof_api_trouble *trouble, const char *text, size_t text_bytes);

#endif
