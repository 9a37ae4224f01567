/* exchange.c - see exchange.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "exchange.h"

#include <string.h>
#include <time.h>

#include "file_text.h"
#include "subject_token.h"

#define ATTEMPTS 3u

#define CLOCK_SKEW_S_MIN 60

static int64_t now_unix_s(void)
{
    return (int64_t)time(NULL);
}

static void wipe(struct cprof_exchange *exchange)
{
    cprof_token_request_reset(&exchange->request);
    explicit_bzero(&exchange->answer, sizeof(exchange->answer));
}

static void end(struct cprof_exchange *exchange, const struct cprof_error *error)
{
    /* Before the callback, which may start the next exchange. */
    cprof_token_request_reset(&exchange->request);
    exchange->done(exchange->context, error ? NULL : &exchange->answer, error);
    explicit_bzero(&exchange->answer, sizeof(exchange->answer));
}

/* What the header Date says about this machine's clock. */
static void compare_clocks(struct cprof_exchange *exchange, const struct cprof_http_answer *answer)
{
    int64_t ahead_s = now_unix_s() - answer->date_unix_s;

    if (answer->date_unix_s != 0) {
        exchange->clock_ahead_s =
            ahead_s > CLOCK_SKEW_S_MIN || ahead_s < -CLOCK_SKEW_S_MIN ? ahead_s : 0;
    }
    exchange->asked.clock_ahead_s = exchange->clock_ahead_s;
}

/* True: there is an answer of status 200. Else the exchange has ended with an error. */
static bool is_token_answer(struct cprof_exchange *exchange, const struct cprof_http_answer *answer)
{
    struct cprof_error error;

    compare_clocks(exchange, answer);
    if (answer->outcome == CPROF_HTTP_ANSWERED && answer->status == 200) {
        return true;
    }
    cprof_refusal_tell(&error, &exchange->asked, answer);
    end(exchange, &error);
    return false;
}

static void end_unread(struct cprof_exchange *exchange, const struct cprof_error *reason)
{
    struct cprof_error error;

    cprof_refusal_tell_unread(&error, &exchange->asked, reason->text);
    end(exchange, &error);
}

/* Sends exchange->request; `step` gets the answer. */
static bool take_step(struct cprof_exchange *exchange, enum cprof_refusal_role role,
                      cprof_http_finished *step, struct cprof_error *error)
{
    exchange->asked = (struct cprof_asked){
        .role = role, .url = exchange->request.http.url, .file = exchange->file};
    return cprof_attempts_start(&exchange->attempts, ATTEMPTS, &exchange->request.http, step,
                                exchange, error);
}

static void got_impersonated(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_exchange *exchange = context;
    struct cprof_error reason;

    if (!is_token_answer(exchange, answer)) {
        return;
    }
    /* The expiry is a time of the server's clock, and so is its Date. */
    if (cprof_token_answer_read_impersonated(
            &exchange->answer, answer->body, answer->body_bytes,
            answer->date_unix_s ? answer->date_unix_s : now_unix_s(), &reason)) {
        end(exchange, NULL);
    } else {
        end_unread(exchange, &reason);
    }
}

static void impersonate(struct cprof_exchange *exchange)
{
    struct cprof_error error;

    cprof_token_request_reset(&exchange->request);
    if (!cprof_token_request_impersonation(&exchange->request, exchange->file,
                                           exchange->answer.token, &error) ||
        !take_step(exchange, CPROF_ROLE_IMPERSONATION, got_impersonated, &error)) {
        end(exchange, &error);
    }
}

static void got_first(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_exchange *exchange = context;
    struct cprof_error reason;

    if (!is_token_answer(exchange, answer)) {
        return;
    }
    if (!cprof_token_answer_read(&exchange->answer, answer->body, answer->body_bytes, &reason)) {
        end_unread(exchange, &reason);
        return;
    }
    if (exchange->file && exchange->file->kind == CPROF_KEY_AUTHORIZED_USER &&
        exchange->answer.refresh_token[0]) {
        cprof_key_file_renew(exchange->file, exchange->answer.refresh_token);
    }
    if (exchange->file && exchange->file->impersonation_url[0]) {
        impersonate(exchange);
    } else {
        end(exchange, NULL);
    }
}

/* Has the subject token exchanged that stands in this text. */
static bool exchange_subject(struct cprof_exchange *exchange, const char *text, size_t text_bytes,
                             const char *origin, struct cprof_error *error)
{
    char token[CPROF_TOKEN_BYTES];
    bool ok = cprof_subject_token_read(token, text, text_bytes, exchange->file->source_field,
                                       origin, error);

    cprof_token_request_reset(&exchange->request);
    ok = ok && cprof_token_request_exchange(&exchange->request, exchange->file, token, error) &&
         take_step(exchange, CPROF_ROLE_TOKEN_SERVICE, got_first, error);
    explicit_bzero(token, sizeof(token));
    return ok;
}

static void got_subject(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_exchange *exchange = context;
    struct cprof_error error;

    if (is_token_answer(exchange, answer) &&
        !exchange_subject(exchange, answer->body, answer->body_bytes, exchange->file->source_url,
                          &error)) {
        end(exchange, &error);
    }
}

static bool start_external(struct cprof_exchange *exchange, struct cprof_error *error)
{
    const char *path = exchange->file->source_file;
    struct cprof_file_text text;
    bool ok;

    if (!path[0]) {
        return cprof_token_request_subject(&exchange->request, exchange->file, error) &&
               take_step(exchange, CPROF_ROLE_SUBJECT_SOURCE, got_subject, error);
    }
    if (!cprof_file_text_read(&text, path, "subject token file", error)) {
        return false;
    }
    ok = exchange_subject(exchange, text.text, text.bytes, path, error);
    cprof_file_text_reset(&text);
    return ok;
}

static bool start_first(struct cprof_exchange *exchange, struct cprof_error *error)
{
    switch (exchange->file->kind) {
    case CPROF_KEY_SERVICE_ACCOUNT:
        return cprof_token_request_assertion(&exchange->request, exchange->file, now_unix_s(),
                                             error) &&
               take_step(exchange, CPROF_ROLE_TOKEN_ENDPOINT, got_first, error);
    case CPROF_KEY_AUTHORIZED_USER:
        return cprof_token_request_refresh(&exchange->request, exchange->file, error) &&
               take_step(exchange, CPROF_ROLE_TOKEN_ENDPOINT, got_first, error);
    case CPROF_KEY_EXTERNAL_ACCOUNT:
        break;
    }
    return start_external(exchange, error);
}

void cprof_exchange_init(struct cprof_exchange *exchange, struct cprof_http_client *client,
                         struct cprof_loop *loop, cprof_exchange_done *done, void *context)
{
    *exchange = (struct cprof_exchange){.done = done, .context = context};
    cprof_attempts_init(&exchange->attempts, client, loop);
}

bool cprof_exchange_start(struct cprof_exchange *exchange, struct cprof_key_file *file,
                          struct cprof_error *error)
{
    exchange->file = file;
    if (!start_first(exchange, error)) {
        wipe(exchange);
        return false;
    }
    return true;
}

bool cprof_exchange_start_metadata(struct cprof_exchange *exchange,
                                   const struct cprof_metadata *metadata, struct cprof_error *error)
{
    exchange->file = NULL;
    exchange->request.http = *cprof_metadata_token_request(metadata);
    return take_step(exchange, CPROF_ROLE_METADATA, got_first, error);
}

void cprof_exchange_cancel(struct cprof_exchange *exchange)
{
    cprof_attempts_cancel(&exchange->attempts);
    wipe(exchange);
}
