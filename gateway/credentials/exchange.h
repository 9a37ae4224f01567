/* exchange.h - the way from a key file, or from the metadata server, to an access token: one to
 * three requests after each other.
 *
 * Callers   the gateway's thread, on the loop.
 * Steps     service_account and authorized_user ask the token endpoint; external_account reads its
 *           subject token, from a file or a URL, afresh each time, and has it exchanged; where the
 *           file impersonates, the first token then asks for the one of the service account.
 * Tries     three for each step (attempts.h).
 * Memory    the caller's structure, which holds secrets while an exchange is under way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_EXCHANGE_H
#define CPROF_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../http/client.h"
#include "../loop/loop.h"
#include "attempts.h"
#include "key_file.h"
#include "metadata.h"
#include "refusal.h"
#include "token_answer.h"
#include "token_request.h"

/* answer: NULL with the error. Both are borrowed for the callback. */
typedef void cprof_exchange_done(void *context, const struct cprof_token_answer *answer,
                                 const struct cprof_error *error);

struct cprof_exchange {
    struct cprof_attempts attempts;
    struct cprof_token_request request;
    struct cprof_token_answer answer;
    struct cprof_asked asked;
    struct cprof_key_file *file; /* borrowed while under way; NULL: the metadata server */
    cprof_exchange_done *done;
    void *context;
    int64_t clock_ahead_s; /* as credentials.h tells it */
};

/* Client and loop are borrowed. */
void cprof_exchange_init(struct cprof_exchange *exchange, struct cprof_http_client *client,
                         struct cprof_loop *loop, cprof_exchange_done *done, void *context);

/* Starts. `done` is called once, never from within. False with the error: nothing was started, and
 * `done` is not called. A new refresh token goes into `file`. */
bool cprof_exchange_start(struct cprof_exchange *exchange, struct cprof_key_file *file,
                          struct cprof_error *error) CPROF_MUST_USE;
bool cprof_exchange_start_metadata(struct cprof_exchange *exchange,
                                   const struct cprof_metadata *metadata,
                                   struct cprof_error *error) CPROF_MUST_USE;

/* Ends what is under way, without a callback, and wipes it. */
void cprof_exchange_cancel(struct cprof_exchange *exchange);

#endif
