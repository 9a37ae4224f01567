/* token_request.h - the requests that lead to a token, made of what a key file says.
 *
 * Callers   the gateway's thread. Pure, but for the clock of assertions: no socket, no file.
 * Memory    a request owns its body and headers until cprof_token_request_reset, which wipes them;
 *           URLs are borrowed from the key file.
 * Source    RFC 7523 (assertions), RFC 6749 (refresh tokens), RFC 8693 (token exchange), the IAM
 *           credentials API.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TOKEN_REQUEST_H
#define CPROF_TOKEN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../http/client.h"
#include "key_file.h"

struct cprof_token_request {
    struct cprof_http_request http; /* points to the rest */
    char *body;
    char *headers[CPROF_HTTP_HEADERS_MAX];
};

/* Each makes one request; `request` needs no preparation and is to be reset afterwards, whatever
 * the outcome. False with the error: no memory, or something does not fit. */

/* A service account's signed assertion, issued at now_unix_s, for the token endpoint. */
bool cprof_token_request_assertion(struct cprof_token_request *request,
                                   const struct cprof_key_file *file, int64_t now_unix_s,
                                   struct cprof_error *error) CPROF_MUST_USE;
/* An authorized user's refresh token, for the token endpoint. */
bool cprof_token_request_refresh(struct cprof_token_request *request,
                                 const struct cprof_key_file *file,
                                 struct cprof_error *error) CPROF_MUST_USE;
/* An external account's subject token from its URL. */
bool cprof_token_request_subject(struct cprof_token_request *request,
                                 const struct cprof_key_file *file,
                                 struct cprof_error *error) CPROF_MUST_USE;
/* That subject token, for the security token service. */
bool cprof_token_request_exchange(struct cprof_token_request *request,
                                  const struct cprof_key_file *file, const char *subject_token,
                                  struct cprof_error *error) CPROF_MUST_USE;
/* A token of another account, for the one that the first token may impersonate. */
bool cprof_token_request_impersonation(struct cprof_token_request *request,
                                       const struct cprof_key_file *file, const char *first_token,
                                       struct cprof_error *error) CPROF_MUST_USE;

void cprof_token_request_reset(struct cprof_token_request *request);

#endif
