/* metadata.c - see metadata.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "metadata.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "attempts.h"
#include "metadata_text.h"
#include "scope.h"

#define DEFAULT_HOST "169.254.169.254"
#define HOST_BYTES   256u
#define SCOPE_BYTES  192u /* of CPROF_SCOPE_PROFILING, encoded */
#define URL_BYTES    (HOST_BYTES + SCOPE_BYTES + 128u)

/* The server is a hop away at most. Nobody there often means no answer at all, not a refusal. */
#define CONNECT_MS  1000u
#define DEADLINE_MS 3000u

/* The metadata server may have to ask others for a token. */
#define TOKEN_DEADLINE_MS 10000u

/* For so long it is believed that nobody is there, or that the server does not know. The servers of
 * new machines and pods may come, or be ready, later than the gateway. */
#define BELIEVED_NS (60 * NS_PER_S)

#define ANSWER_BYTES_MAX 65536u
#define ATTEMPTS         5u

enum state { STATE_UNASKED, STATE_ASKING, STATE_KNOWN };

struct question {
    cprof_metadata_found *found; /* NULL: free */
    void *context;
};

/* What is asked, one after the other. */
static const struct {
    const char *path;
    size_t offset, bytes; /* of the text in struct cprof_place */
} subjects[] = {
    {"project/project-id", offsetof(struct cprof_place, project_id), CPROF_PROJECT_ID_BYTES},
    {"instance/zone", offsetof(struct cprof_place, zone), CPROF_ZONE_BYTES},
    {"instance/name", offsetof(struct cprof_place, instance), CPROF_INSTANCE_BYTES},
};

#define SUBJECT_COUNT (sizeof(subjects) / sizeof(*subjects))

struct cprof_metadata {
    struct cprof_loop *loop;
    struct cprof_loop_timer timer; /* tells what is known at the next turn of the loop */
    struct cprof_attempts attempts;
    struct cprof_http_request request, token_request;
    char host[HOST_BYTES];
    char url[URL_BYTES], token_url[URL_BYTES];
    struct question questions[CPROF_METADATA_QUESTIONS_MAX];
    struct cprof_place place;
    enum state state;
    bool disabled;
    bool unsure; /* a subject got another answer than its text or 404 */
    uint64_t known_since_ns;
    size_t subject; /* what is being asked */
};

static void tell(struct cprof_metadata *metadata)
{
    if (metadata->state != STATE_KNOWN) {
        metadata->state = STATE_KNOWN;
        metadata->known_since_ns = cprof_now_ns();
    }
    for (size_t i = 0; i < CPROF_METADATA_QUESTIONS_MAX; i++) {
        struct question question = metadata->questions[i];

        if (question.found) {
            metadata->questions[i].found = NULL;
            question.found(question.context, &metadata->place);
        }
    }
}

static void next_turn(void *context, uint64_t now_ns)
{
    (void)now_ns;
    tell(context);
}

static void take_text(struct cprof_metadata *metadata, const struct cprof_http_answer *answer)
{
    char *text = (char *)&metadata->place + subjects[metadata->subject].offset;

    /* What is no name counts as not said: the text stays empty. */
    (void)!cprof_metadata_text_read(text, subjects[metadata->subject].bytes, answer->body,
                                    answer->body_bytes);
}

static void ask(struct cprof_metadata *metadata, unsigned attempts);

static bool is_definite(const struct cprof_http_answer *answer)
{
    return answer->outcome == CPROF_HTTP_ANSWERED && answer->metadata_flavor &&
           (answer->status == 200 || answer->status == 404);
}

static void answered(void *context, const struct cprof_http_answer *answer)
{
    struct cprof_metadata *metadata = context;

    if (answer->outcome == CPROF_HTTP_ANSWERED && answer->metadata_flavor) {
        bool first_look = !metadata->place.on_google_cloud;

        metadata->place.on_google_cloud = true;
        if (first_look && cprof_attempts_is_transient(answer)) {
            ask(metadata, ATTEMPTS - 1);
            return;
        }
        if (answer->status == 200) {
            take_text(metadata, answer);
        }
    }
    metadata->unsure = metadata->unsure || !is_definite(answer);
    metadata->subject++;
    if (!metadata->place.on_google_cloud || metadata->subject == SUBJECT_COUNT) {
        tell(metadata);
    } else {
        ask(metadata, ATTEMPTS);
    }
}

static void ask(struct cprof_metadata *metadata, unsigned attempts)
{
    struct cprof_error error;

    (void)snprintf(metadata->url, sizeof(metadata->url), "http://%s/computeMetadata/v1/%s",
                   metadata->host, subjects[metadata->subject].path);
    if (!cprof_attempts_start(&metadata->attempts, attempts, &metadata->request, answered, metadata,
                              &error)) {
        cprof_log(CPROF_LOG_WARNING, "cannot ask the metadata server: %s", error.text);
        metadata->timer.due_ns = cprof_now_ns();
    }
}

static void choose_host(struct cprof_metadata *metadata)
{
    static const char *const names[] = {"GCE_METADATA_HOST", "GCE_METADATA_IP"};
    const char *host = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !host; i++) {
        host = getenv(names[i]);
        /* It becomes part of a URL. */
        if (host && (strlen(host) >= HOST_BYTES || strspn(host, "0123456789abcdefghijklmnopqrstuv"
                                                                "wxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                "-.:[]") != strlen(host))) {
            cprof_log(CPROF_LOG_WARNING, "%s is not a host: ignored", names[i]);
            host = NULL;
        } else if (host && !host[0]) {
            host = NULL;
        }
    }
    (void)snprintf(metadata->host, sizeof(metadata->host), "%s", host ? host : DEFAULT_HOST);
}

static bool prepare(struct cprof_metadata *metadata)
{
    char scope[SCOPE_BYTES];
    struct cprof_http_request request = {
        .channel = CPROF_HTTP_OTHER,
        .method = "GET",
        .url = metadata->url,
        .headers = {"Metadata-Flavor: Google"},
        .deadline_ms = DEADLINE_MS,
        .connect_ms = CONNECT_MS,
        .answer_bytes_max = ANSWER_BYTES_MAX,
        .direct = true,
        .plain_allowed = true,
    };

    metadata->request = request;
    request.url = metadata->token_url;
    request.deadline_ms = TOKEN_DEADLINE_MS;
    metadata->token_request = request;
    choose_host(metadata);
    if (!cprof_http_encode(scope, sizeof(scope), CPROF_SCOPE_PROFILING)) {
        return false;
    }
    (void)snprintf(metadata->token_url, sizeof(metadata->token_url),
                   "http://%s/computeMetadata/v1/instance/service-accounts/default/token?scopes=%s",
                   metadata->host, scope);
    return true;
}

struct cprof_metadata *cprof_metadata_create(struct cprof_http_client *client,
                                             struct cprof_loop *loop, bool disabled)
{
    struct cprof_metadata *metadata = calloc(1, sizeof(*metadata));
    const char *no_check = getenv("NO_GCE_CHECK");

    if (!metadata) {
        return NULL;
    }
    metadata->loop = loop;
    metadata->timer = (struct cprof_loop_timer){
        .due_ns = CPROF_LOOP_NEVER, .fire = next_turn, .context = metadata};
    cprof_attempts_init(&metadata->attempts, client, loop);
    if (!prepare(metadata) || !cprof_loop_add_timer(loop, &metadata->timer)) {
        free(metadata);
        return NULL;
    }
    metadata->disabled = disabled || (no_check && strcasecmp(no_check, "true") == 0);
    return metadata;
}

void cprof_metadata_destroy(struct cprof_metadata *metadata)
{
    if (metadata) {
        cprof_attempts_cancel(&metadata->attempts);
        cprof_loop_remove_timer(metadata->loop, &metadata->timer);
        free(metadata);
    }
}

static void add_question(struct cprof_metadata *metadata, cprof_metadata_found *found,
                         void *context)
{
    for (size_t i = 0; i < CPROF_METADATA_QUESTIONS_MAX; i++) {
        if (!metadata->questions[i].found) {
            metadata->questions[i] = (struct question){.found = found, .context = context};
            return;
        }
    }
}

static bool must_look(const struct cprof_metadata *metadata)
{
    if (metadata->disabled || metadata->state == STATE_ASKING) {
        return false;
    }
    return metadata->state == STATE_UNASKED ||
           ((!metadata->place.on_google_cloud || metadata->unsure) &&
            cprof_now_ns() - metadata->known_since_ns >= BELIEVED_NS);
}

void cprof_metadata_find(struct cprof_metadata *metadata, cprof_metadata_found *found,
                         void *context)
{
    add_question(metadata, found, context);
    if (must_look(metadata)) {
        metadata->state = STATE_ASKING;
        metadata->unsure = false;
        metadata->subject = 0;
        /* One look: outside Google Cloud nobody is there. */
        ask(metadata, 1);
    } else if (metadata->state != STATE_ASKING) {
        metadata->timer.due_ns = cprof_now_ns();
    }
}

void cprof_metadata_forget(struct cprof_metadata *metadata, const void *context)
{
    for (size_t i = 0; i < CPROF_METADATA_QUESTIONS_MAX; i++) {
        if (metadata->questions[i].context == context) {
            metadata->questions[i] = (struct question){0};
        }
    }
}

const struct cprof_http_request *cprof_metadata_token_request(const struct cprof_metadata *metadata)
{
    return &metadata->token_request;
}
