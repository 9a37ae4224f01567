/* guard.h - who may ask: token, Host and Origin.
 *
 * Loopback is no authentication: other users of the machine reach it, and so does the app when
 * somebody makes it fetch a URL. A page of another site reaches it through the operator's browser
 * (by a form, or by a name that is made to point to 127.0.0.1).
 *
 * Callers   the gateway's thread, and for cprof_guard_open, which may wait for a disk, the side
 *           thread for files. Pure, but for the making of the token.
 * Secrets   the token stands in this process, in its file and in the line of the log that names the
 *           URL (not there if an option gave it); compared in constant time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_GUARD_H
#define CPROF_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../sinks/output.h"

struct cprof_guard {
    bool needs_token;
    bool is_local;     /* a unix socket: no browser and no name leads to it */
    bool token_is_new; /* made here, not given by an option */
    char token[CPROF_HTTP_TOKEN_BYTES];
};

/* What the checks look at; NULL: the request has none. */
struct cprof_guard_question {
    const char *host;
    const char *origin;
    const char *authorization;
    const char *token; /* of the query */
    bool is_public;    /* the page's own files: no token */
};

/* Sets the guard up for config->http_address: takes or makes the token, and writes one that it
 * made to its file of mode 0600: http_token_file, else one in the directory of `output` (NULL:
 * there is none) that belongs to this server alone. False with the error: the token is not written;
 * where guard->token is empty, there is none. */
bool cprof_guard_open(struct cprof_guard *guard, const struct cprof_config *config,
                      const struct cprof_output *output, struct cprof_error *error) CPROF_MUST_USE;
/* The same without a look at any file: a token that is made here is good for this gateway alone. */
bool cprof_guard_open_without_file(struct cprof_guard *guard, const struct cprof_config *config,
                                   struct cprof_error *error) CPROF_MUST_USE;
/* Wipes the token. The file stays: the next gateway goes on with what it holds. */
void cprof_guard_close(struct cprof_guard *guard);

/* 0: the request may pass; else the status of the refusal, and why in *reason. */
unsigned cprof_guard_check(const struct cprof_guard *guard,
                           const struct cprof_guard_question *question, const char **reason);

#endif
