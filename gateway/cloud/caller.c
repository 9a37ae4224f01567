/* caller.c - see caller.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "caller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../shared/base/units.h"
#include "../credentials/secret.h"

#define HTTP_UNAUTHORIZED 401

#define URL_BYTES (CPROF_ENDPOINT_BYTES + CPROF_API_TEXT_BYTES + 64)

/* A clock that is further off than this is named beside a refused token. */
#define CLOCK_SKEW_S 60

struct cprof_caller {
    struct cprof_http_client *client;
    struct cprof_credentials *credentials;
    const struct cprof_config *config;

    /* The call under way; body NULL: none. */
    const char *method;
    char url[URL_BYTES];
    char *body;
    uint32_t deadline_ms;
    bool repeated; /* with a new token */
    struct cprof_http_call *http_call;
    cprof_replied *replied;
    void *context;
};

static void get_token(struct cprof_caller *caller);

struct cprof_caller *cprof_caller_create(struct cprof_http_client *client,
                                         struct cprof_credentials *credentials,
                                         const struct cprof_config *config)
{
    struct cprof_caller *caller = calloc(1, sizeof(*caller));

    if (caller) {
        caller->client = client;
        caller->credentials = credentials;
        caller->config = config;
    }
    return caller;
}

void cprof_caller_destroy(struct cprof_caller *caller)
{
    if (caller) {
        cprof_http_cancel(caller->http_call);
        free(caller->body);
        free(caller);
    }
}

/* The call is over before its callback runs, which may make the next one. */
static void reply(struct cprof_caller *caller, const struct cprof_reply *what)
{
    free(caller->body);
    caller->body = NULL;
    caller->replied(caller->context, what);
}

static void reply_with_trouble(struct cprof_caller *caller, enum cprof_trouble trouble,
                               const char *detail)
{
    struct cprof_reply what = {.trouble = trouble, .body = ""};

    (void)snprintf(what.detail, sizeof(what.detail), "%s", detail);
    reply(caller, &what);
}

/* "HTTP 403 PERMISSION_DENIED: the server's sentence" */
static void describe(char *detail, size_t detail_bytes, const struct cprof_http_answer *answer,
                     const struct cprof_api_trouble *said)
{
    int64_t skew_s = answer->date_unix_s != 0 ? (int64_t)time(NULL) - answer->date_unix_s : 0;
    int used;

    if (answer->outcome != CPROF_HTTP_ANSWERED) {
        (void)snprintf(detail, detail_bytes, "%s", answer->trouble);
        return;
    }
    used = snprintf(detail, detail_bytes, "HTTP %ld%s%s%s%s", answer->status,
                    said->status[0] != '\0' ? " " : "", said->status,
                    said->message[0] != '\0' ? ": " : "", said->message);
    if (answer->status == HTTP_UNAUTHORIZED && used > 0 && (size_t)used < detail_bytes &&
        (skew_s > CLOCK_SKEW_S || skew_s < -CLOCK_SKEW_S)) {
        (void)snprintf(detail + used, detail_bytes - (size_t)used,
                       "; this machine's clock is %" PRId64 " s %s the server's",
                       skew_s > 0 ? skew_s : -skew_s, skew_s > 0 ? "ahead of" : "behind");
    }
}

static void answered(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_caller *caller = context;
    struct cprof_api_trouble said = {0};
    struct cprof_reply what = {
        .status = answer->status, .body = answer->body, .body_bytes = answer->body_bytes};

    caller->http_call = NULL;
    if (answer->status == HTTP_UNAUTHORIZED && !caller->repeated) {
        caller->repeated = true;
        cprof_credentials_drop_token(caller->credentials);
        get_token(caller);
        return;
    }
    if (answer->outcome == CPROF_HTTP_ANSWERED && (answer->status < 200 || answer->status >= 300)) {
        cprof_api_read_trouble(&said, answer->body, answer->body_bytes);
    }
    what.trouble = cprof_trouble_of(answer, &said);
    what.retry_delay_ns = said.retry_delay_ns;
    if (what.retry_delay_ns == 0 && answer->retry_after_s > 0 &&
        (uint64_t)answer->retry_after_s < UINT64_MAX / NS_PER_S) {
        what.retry_delay_ns = (uint64_t)answer->retry_after_s * NS_PER_S;
    }
    if (what.trouble != CPROF_TROUBLE_NONE) {
        describe(what.detail, sizeof(what.detail), answer, &said);
        cprof_credentials_hide_token(caller->credentials, what.detail);
    }
    reply(caller, &what);
}

static void start(struct cprof_caller *caller, const struct cprof_token *token)
{
    char quota[256], client[256];
    char *authorization = NULL;
    struct cprof_error error;
    struct cprof_http_request request = {
        .channel = CPROF_HTTP_API,
        .method = caller->method,
        .url = caller->url,
        .headers = {NULL, "Content-Type: application/json", "Accept: application/json",
                    "x-goog-api-format-version: 2", client,
                    token->quota_project[0] != '\0' ? quota : NULL},
        .body = caller->body,
        .body_bytes = strlen(caller->body),
        .deadline_ms = caller->deadline_ms,
        .answer_bytes_max = CPROF_API_ANSWER_BYTES_MAX,
    };

    if (asprintf(&authorization, "Authorization: Bearer %s", token->text) < 0) {
        reply_with_trouble(caller, CPROF_TROUBLE_CREDENTIALS, "no memory for the token");
        return;
    }
    request.headers[0] = authorization;
    (void)snprintf(quota, sizeof(quota), "x-goog-user-project: %s", token->quota_project);
    (void)snprintf(client, sizeof(client), "x-goog-api-client: gl-python/%s gccl/%s",
                   caller->config->python_version, CPROF_VERSION);
    caller->http_call = cprof_http_start(caller->client, &request, answered, caller, &error);
    cprof_secret_free(authorization);
    if (!caller->http_call) {
        reply_with_trouble(caller, CPROF_TROUBLE_BROKEN, error.text);
    }
}

static void got_token(void *context, const struct cprof_token *token,
                      const struct cprof_error *error)
{
    struct cprof_caller *caller = context;

    if (token) {
        start(caller, token);
    } else {
        reply_with_trouble(caller, CPROF_TROUBLE_CREDENTIALS, error->text);
    }
}

static void get_token(struct cprof_caller *caller)
{
    cprof_credentials_get(caller->credentials, got_token, caller);
}

void cprof_caller_call(struct cprof_caller *caller, const struct cprof_call *call,
                       cprof_replied *replied, void *context)
{
    (void)snprintf(caller->url, sizeof(caller->url), "%s%s", caller->config->api_endpoint,
                   call->path);
    caller->method = call->method;
    caller->body = call->body;
    caller->deadline_ms = call->deadline_ms;
    caller->repeated = false;
    caller->replied = replied;
    caller->context = context;
    get_token(caller);
}
