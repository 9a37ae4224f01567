/* refusal.h - says in the operator's words why a server gave no token, and what to do about it.
 *
 * Callers   the gateway's thread. Pure.
 * Secrets   servers' texts come cleaned by token_answer.h; of URLs only the host is named.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REFUSAL_H
#define CPROF_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "../http/client.h"
#include "key_file.h"

/* Whom was asked, and for what. */
enum cprof_refusal_role {
    CPROF_ROLE_TOKEN_ENDPOINT,
    CPROF_ROLE_SUBJECT_SOURCE,
    CPROF_ROLE_TOKEN_SERVICE,
    CPROF_ROLE_IMPERSONATION,
    CPROF_ROLE_METADATA,
};

struct cprof_asked {
    enum cprof_refusal_role role;
    const char *url;
    const struct cprof_key_file *file; /* NULL: the metadata server */
    int64_t clock_ahead_s;             /* of this machine, if more than a minute; else 0 */
};

/* An answer that is none, or whose status is not 200. */
void cprof_refusal_tell(struct cprof_error *error, const struct cprof_asked *asked,
                        const struct cprof_http_answer *answer);

/* An answer of status 200 that could not be read; `reason` is the sentence of token_answer.h. */
void cprof_refusal_tell_unread(struct cprof_error *error, const struct cprof_asked *asked,
                               const char *reason);

#endif
