/* troubles.h - what went wrong between this instance and the API, in the operator's words.
 *
 * Callers   the gateway's thread. Pure.
 * Words     each cause has one sentence that says what happened and what to do. The server's own
 *           words stand behind it, cleaned and cut; a secret never does.
 * Docs      docs/troubleshooting.md quotes these sentences; tests/e2e/test_cloud_faults.py sees
 *           them in a real server's log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_TROUBLES_H
#define CPROF_CLOUD_TROUBLES_H

#include <stdbool.h>
#include <stddef.h>

#include "../http/client.h"
#include "api.h"

enum cprof_trouble {
    CPROF_TROUBLE_NONE,
    CPROF_TROUBLE_THROTTLED, /* the server says when to come again: no trouble, unless for long */
    CPROF_TROUBLE_NO_PROJECT,
    CPROF_TROUBLE_CREDENTIALS,
    CPROF_TROUBLE_UNRESOLVED,
    CPROF_TROUBLE_UNREACHABLE,
    CPROF_TROUBLE_UNTRUSTED,
    CPROF_TROUBLE_NO_CA,
    CPROF_TROUBLE_BROKEN,
    CPROF_TROUBLE_TOO_LATE,
    CPROF_TROUBLE_TOO_LARGE,
    CPROF_TROUBLE_API_DISABLED,
    CPROF_TROUBLE_FORBIDDEN,
    CPROF_TROUBLE_UNAUTHENTICATED,
    CPROF_TROUBLE_NOT_FOUND,
    CPROF_TROUBLE_INVALID,
    CPROF_TROUBLE_QUOTA,
    CPROF_TROUBLE_REDIRECTED,
    CPROF_TROUBLE_SERVER,
    CPROF_TROUBLE_NONSENSE, /* an answer that cannot be understood */
    CPROF_TROUBLE_COUNT,
};

/* What an answer of the API means. `said` was read from it, if it is an error of HTTP. */
enum cprof_trouble cprof_trouble_of(const struct cprof_http_answer *answer,
                                    const struct cprof_api_trouble *said);

/* May the same call work if it is made again in a while, without anybody's doing? */
bool cprof_trouble_passes(enum cprof_trouble trouble);

/* Writes the sentence. detail: the server's or library's words; "" if there are none. */
void cprof_trouble_explain(char *text, size_t text_bytes, enum cprof_trouble trouble,
                           const struct cprof_deployment *deployment, const char *detail);

#endif
