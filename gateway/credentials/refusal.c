/* refusal.c - see refusal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token_answer.h"

#define SERVER_BYTES 160u

static const char *const role_names[] = {
    [CPROF_ROLE_TOKEN_ENDPOINT] = "the token endpoint",
    [CPROF_ROLE_SUBJECT_SOURCE] = "the source of the subject token,",
    [CPROF_ROLE_TOKEN_SERVICE] = "the security token service",
    [CPROF_ROLE_IMPERSONATION] = "the IAM credentials service",
    [CPROF_ROLE_METADATA] = "the metadata server",
};

/* "the token endpoint oauth2.googleapis.com": of the URL the host and port alone, without a name
 * and password before them. */
static void name_server(char server[SERVER_BYTES], const struct cprof_asked *asked)
{
    const char *host = strstr(asked->url, "://");
    size_t length, skipped;

    host = host ? host + 3 : asked->url;
    length = strcspn(host, "/?#");
    skipped = length;
    while (skipped > 0 && host[skipped - 1] != '@') {
        skipped--;
    }
    length -= skipped;
    (void)snprintf(server, SERVER_BYTES, "%s %.*s", role_names[asked->role],
                   (int)(length < 100 ? length : 100), host + skipped);
}

static const char *what_to_do(const struct cprof_asked *asked, long status, const char *trouble)
{
    bool invalid_grant = strncmp(trouble, "invalid_grant", 13) == 0;

    if (asked->role == CPROF_ROLE_IMPERSONATION && status == 403) {
        return "; grant its caller roles/iam.serviceAccountTokenCreator on the service account";
    }
    if (asked->role == CPROF_ROLE_METADATA && status == 404) {
        return "; this machine has no service account";
    }
    if (!invalid_grant || !asked->file || asked->clock_ahead_s != 0) {
        return "";
    }
    if (asked->file->kind == CPROF_KEY_SERVICE_ACCOUNT) {
        return "; was the key deleted, or its service account disabled?";
    }
    return asked->file->kind == CPROF_KEY_AUTHORIZED_USER
               ? "; renew it by `gcloud auth application-default login`"
               : "";
}

static const char *what_was_refused(const struct cprof_asked *asked)
{
    switch (asked->role) {
    case CPROF_ROLE_TOKEN_ENDPOINT:
        return asked->file->kind == CPROF_KEY_SERVICE_ACCOUNT ? "refused the key of"
                                                              : "refused the refresh token of";
    case CPROF_ROLE_TOKEN_SERVICE:
        return "refused the subject token of";
    case CPROF_ROLE_IMPERSONATION:
        return "refused the impersonation of";
    case CPROF_ROLE_SUBJECT_SOURCE:
    case CPROF_ROLE_METADATA:
        break;
    }
    return "refused the request of";
}

static void append_clock(struct cprof_error *error, int64_t clock_ahead_s)
{
    size_t used = strlen(error->text);

    if (clock_ahead_s != 0) {
        (void)snprintf(error->text + used, sizeof(error->text) - used,
                       "; this machine's clock is %lld s %s the server's: set it right",
                       llabs((long long)clock_ahead_s), clock_ahead_s > 0 ? "ahead of" : "behind");
    }
}

void cprof_refusal_tell(struct cprof_error *error, const struct cprof_asked *asked,
                        const struct cprof_http_answer *answer)
{
    char server[SERVER_BYTES], trouble[CPROF_TOKEN_TROUBLE_BYTES];

    name_server(server, asked);
    if (answer->outcome != CPROF_HTTP_ANSWERED) {
        (void)cprof_fail(error, "no answer of %s: %.200s", server, answer->trouble);
        return;
    }
    cprof_token_answer_trouble(trouble, answer->body, answer->body_bytes);
    if (asked->file && answer->status >= 400 && answer->status < 500 && trouble[0]) {
        (void)cprof_fail(error, "%s %s %.120s: %.160s%s", server, what_was_refused(asked),
                         asked->file->path, trouble, what_to_do(asked, answer->status, trouble));
    } else {
        (void)cprof_fail(error, "%s answered with status %ld%s%.160s%s", server, answer->status,
                         trouble[0] ? ": " : "", trouble,
                         what_to_do(asked, answer->status, trouble));
    }
    append_clock(error, asked->clock_ahead_s);
}

void cprof_refusal_tell_unread(struct cprof_error *error, const struct cprof_asked *asked,
                               const char *reason)
{
    char server[SERVER_BYTES];

    name_server(server, asked);
    (void)cprof_fail(error, "%s gave no token: %s", server, reason);
    append_clock(error, asked->clock_ahead_s);
}
