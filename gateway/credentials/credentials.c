/* credentials.c - see credentials.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/config.h"
#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "exchange.h"
#include "file_text.h"
#include "key_file.h"
#include "key_search.h"
#include "secret.h"
#include "token_answer.h"

/* The metadata server gives the same token until 4 minutes before its end: earlier than that
 * there may be no other one to be had. */
#define RENEWAL_NS (225 * NS_PER_S)

/* With less life than this a token may end on its way to the server. */
#define LAST_USE_NS (30 * NS_PER_S)

#define QUOTA_PROJECT_BYTES 256u

struct cprof_credentials {
    struct cprof_loop *loop;
    struct cprof_loop_timer timer; /* answers a question at the next turn of the loop */
    struct cprof_metadata *metadata;
    struct cprof_exchange exchange;
    struct cprof_key_file file; /* path NULL: none was read */
    struct cprof_file_stamp stamp;
    char configured[CPROF_PATH_BYTES];
    char quota_project[QUOTA_PROJECT_BYTES]; /* of the environment */
    char *token;                             /* NULL: none */
    uint64_t token_end_ns;
    cprof_credentials_ready *ready; /* NULL: nobody asks */
    void *context;
    struct cprof_error error; /* for the timer; empty: there is a token */
};

static bool token_lives_for(const struct cprof_credentials *credentials, uint64_t needed_ns)
{
    return credentials->token && cprof_now_ns() + needed_ns < credentials->token_end_ns;
}

static void wipe_token(struct cprof_credentials *credentials)
{
    cprof_secret_free(credentials->token);
    credentials->token = NULL;
}

static void answer(struct cprof_credentials *credentials, const struct cprof_error *error)
{
    cprof_credentials_ready *ready = credentials->ready;
    struct cprof_token token = {.text = credentials->token,
                                .quota_project = credentials->quota_project};

    credentials->ready = NULL;
    if (!token.quota_project[0] && credentials->file.path) {
        token.quota_project = credentials->file.quota_project;
    }
    ready(credentials->context, error ? NULL : &token, error);
}

static void answer_failure(struct cprof_credentials *credentials, const struct cprof_error *error)
{
    if (token_lives_for(credentials, LAST_USE_NS)) {
        cprof_log(CPROF_LOG_INFO, "the present access token is used on, without a new one: %s",
                  error->text);
        answer(credentials, NULL);
    } else {
        wipe_token(credentials);
        answer(credentials, error);
    }
}

static void next_turn(void *context, uint64_t now_ns)
{
    struct cprof_credentials *credentials = context;
    struct cprof_error error = credentials->error;

    (void)now_ns;
    if (error.text[0]) {
        answer_failure(credentials, &error);
    } else {
        answer(credentials, NULL);
    }
}

static void exchanged(void *context, const struct cprof_token_answer *got,
                      const struct cprof_error *error)
{
    struct cprof_credentials *credentials = context;
    static const struct cprof_error no_memory = {.text = "no memory for the access token"};

    if (!got) {
        answer_failure(credentials, error);
        return;
    }
    wipe_token(credentials);
    credentials->token = strdup(got->token);
    credentials->token_end_ns = cprof_now_ns() + (uint64_t)got->lifetime_s * NS_PER_S;
    answer(credentials, credentials->token ? NULL : &no_memory);
}

static void forget_file(struct cprof_credentials *credentials)
{
    cprof_key_file_reset(&credentials->file);
}

/* Reads the key file, unless it is the one that was read before. */
static bool load_file(struct cprof_credentials *credentials, const char *path,
                      struct cprof_error *error)
{
    struct cprof_file_text text;
    bool ok;

    if (credentials->file.path && strcmp(credentials->file.path, path) == 0 &&
        cprof_file_stamp_holds(&credentials->stamp, path)) {
        return true;
    }
    forget_file(credentials);
    if (!cprof_file_text_read(&text, path, "key file", error)) {
        return false;
    }
    credentials->stamp = text.stamp;
    ok = cprof_key_file_read(&credentials->file, text.text, text.bytes, path, error);
    cprof_file_text_reset(&text);
    return ok;
}

static void looked_around(void *context, const struct cprof_place *place)
{
    struct cprof_credentials *credentials = context;
    struct cprof_error error;
    char path[CPROF_PATH_BYTES];

    if (place->on_google_cloud) {
        if (!cprof_exchange_start_metadata(&credentials->exchange, credentials->metadata, &error)) {
            answer_failure(credentials, &error);
        }
        return;
    }
    (void)cprof_key_search(path, credentials->configured);
    (void)cprof_fail(&error,
                     "no credentials: neither cloudprofiler-credentials nor "
                     "GOOGLE_APPLICATION_CREDENTIALS names a key file, there is no %.160s, and no "
                     "metadata server of Google Cloud answers",
                     path[0] ? path : "well-known one");
    answer_failure(credentials, &error);
}

static bool start(struct cprof_credentials *credentials, struct cprof_error *error)
{
    char path[CPROF_PATH_BYTES];

    if (cprof_key_search(path, credentials->configured)) {
        return load_file(credentials, path, error) &&
               cprof_exchange_start(&credentials->exchange, &credentials->file, error);
    }
    forget_file(credentials);
    cprof_metadata_find(credentials->metadata, looked_around, credentials);
    return true;
}

void cprof_credentials_get(struct cprof_credentials *credentials, cprof_credentials_ready *ready,
                           void *context)
{
    credentials->ready = ready;
    credentials->context = context;
    credentials->error = (struct cprof_error){0};
    if (token_lives_for(credentials, RENEWAL_NS) || !start(credentials, &credentials->error)) {
        credentials->timer.due_ns = cprof_now_ns();
    }
}

void cprof_credentials_drop_token(struct cprof_credentials *credentials)
{
    wipe_token(credentials);
}

void cprof_credentials_hide_token(const struct cprof_credentials *credentials, char *text)
{
    if (credentials->token) {
        cprof_secret_hide(text, credentials->token);
    }
}

const char *cprof_credentials_project(struct cprof_credentials *credentials,
                                      struct cprof_error *error)
{
    char path[CPROF_PATH_BYTES];

    *error = (struct cprof_error){0};
    /* While a question is open, the file belongs to its requests. */
    if (!credentials->ready && (!cprof_key_search(path, credentials->configured) ||
                                !load_file(credentials, path, error))) {
        return "";
    }
    return credentials->file.path ? credentials->file.project_id : "";
}

int64_t cprof_credentials_clock_skew_s(const struct cprof_credentials *credentials)
{
    return credentials->exchange.clock_ahead_s;
}

/* It becomes the value of a header. */
static void read_quota_project(struct cprof_credentials *credentials)
{
    const char *project = getenv("GOOGLE_CLOUD_QUOTA_PROJECT");

    if (project && strlen(project) < QUOTA_PROJECT_BYTES &&
        (!project[0] || cprof_token_is_sound(project))) {
        (void)snprintf(credentials->quota_project, QUOTA_PROJECT_BYTES, "%s", project);
    }
}

struct cprof_credentials *cprof_credentials_create(struct cprof_http_client *client,
                                                   struct cprof_loop *loop,
                                                   struct cprof_metadata *metadata,
                                                   const char *path)
{
    struct cprof_credentials *credentials = calloc(1, sizeof(*credentials));

    if (!credentials) {
        return NULL;
    }
    credentials->loop = loop;
    credentials->metadata = metadata;
    credentials->timer = (struct cprof_loop_timer){
        .due_ns = CPROF_LOOP_NEVER, .fire = next_turn, .context = credentials};
    (void)snprintf(credentials->configured, sizeof(credentials->configured), "%s", path);
    read_quota_project(credentials);
    cprof_exchange_init(&credentials->exchange, client, loop, exchanged, credentials);
    if (!cprof_loop_add_timer(loop, &credentials->timer)) {
        free(credentials);
        return NULL;
    }
    return credentials;
}

void cprof_credentials_destroy(struct cprof_credentials *credentials)
{
    if (credentials) {
        cprof_exchange_cancel(&credentials->exchange);
        cprof_metadata_forget(credentials->metadata, credentials);
        cprof_loop_remove_timer(credentials->loop, &credentials->timer);
        wipe_token(credentials);
        forget_file(credentials);
        free(credentials);
    }
}
