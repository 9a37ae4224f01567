/* uploader.c - see uploader.h.
 *
 * One turn does one thing: it finds out who this instance is, sends the oldest profile that waits,
 * or asks for the next session. What is under way ends in a callback, which sets the next turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "uploader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "../credentials/credentials.h"
#include "../http/client.h"
#include "api.h"
#include "backoff.h"
#include "caller.h"
#include "deployment.h"
#include "pending.h"

/* The server itself ends a create after an hour and an update after 20 s (the API's service
 * configuration: 3610 s and 30 s for clients). */
#define CREATE_DEADLINE_MS (3610u * 1000u)
#define UPDATE_DEADLINE_MS (60u * 1000u)

/* How long after its window a profile's name is believed to be good. The API does not say; an
 * unknown or late name is refused with 400, which ends the attempts at once. */
#define NAME_GOOD_NS (300 * NS_PER_S)

/* Sessions last for seconds. A server that asks for shorter ones, one after the other, is not
 * followed at its own pace. */
#define CREATE_GAP_NS NS_PER_S

#define FIRST_UPDATE_BACKOFF_NS NS_PER_S

/* All four windows are taken only while others are being written: soon over. */
#define WINDOW_RETRY_NS NS_PER_S
#define WINDOW_TRIES    30u

/* A create that hangs would keep the connection from what a former gateway's window gives. */
#define ADOPTION_LOOK_NS NS_PER_S

#define NO_WINDOW (-1)

#define USER_AGENT "uwsgi-cloudprofiler/" CPROF_VERSION

struct cprof_uploader {
    struct cprof_loop *loop;
    const struct cprof_config *config;
    struct cprof_upload_host host;
    struct cprof_http_client *client;
    struct cprof_metadata *metadata;
    struct cprof_credentials *credentials;
    struct cprof_caller *caller;

    struct cprof_loop_timer turn;
    bool busy;                                 /* a question or a call is under way */
    uint64_t create_after_ns, update_after_ns; /* no call earlier, whatever comes between */
    bool place_known;
    struct cprof_place place;
    bool deployed; /* deployment is complete */
    struct cprof_deployment deployment;

    bool in_session; /* of create's answer, until its window is finished */
    struct cprof_session session;
    int window;
    unsigned window_tries;

    struct cprof_pending_list pending;
    struct cprof_session sending; /* of the first pending one, while it is sent */

    struct cprof_backoff create_backoff, update_backoff;
    enum cprof_trouble told; /* the trouble that the operator knows of */
    char told_detail[CPROF_REPLY_DETAIL_BYTES];
    bool told_success;
};

static void turn_in(struct cprof_uploader *uploader, uint64_t wait_ns)
{
    uploader->busy = false;
    uploader->turn.due_ns = cprof_now_ns() + wait_ns;
}

/* A turn may come earlier, for something else. */
static void create_in(struct cprof_uploader *uploader, uint64_t wait_ns)
{
    uploader->create_after_ns = cprof_now_ns() + wait_ns;
    turn_in(uploader, wait_ns);
}

/* Each trouble is a warning once; its repetitions, and waits that the server orders, are for those
 * who look closer. */
static void tell_trouble(struct cprof_uploader *uploader, enum cprof_trouble trouble,
                         const char *detail, uint64_t wait_ns)
{
    bool routine = trouble == CPROF_TROUBLE_THROTTLED;
    bool known = uploader->told == trouble &&
                 (trouble != CPROF_TROUBLE_NONSENSE || strcmp(uploader->told_detail, detail) == 0);
    enum cprof_log_level level = routine || known ? CPROF_LOG_INFO : CPROF_LOG_WARNING;
    char text[1024];

    cprof_trouble_explain(text, sizeof(text), trouble, &uploader->deployment, detail);
    cprof_log(level, "Cloud Profiler: %s; next try in %.0f s%s", text, (double)wait_ns / 1e9,
              level == CPROF_LOG_WARNING ? " and so on, quietly" : "");
    if (!routine) {
        uploader->told = trouble;
        (void)snprintf(uploader->told_detail, sizeof(uploader->told_detail), "%s", detail);
    }
}

static void tell_success(struct cprof_uploader *uploader)
{
    if (!uploader->told_success) {
        cprof_notice("Cloud Profiler takes profiles of service %s in project %s",
                     uploader->deployment.service, uploader->deployment.project_id);
    } else if (uploader->told != CPROF_TROUBLE_NONE) {
        cprof_notice("Cloud Profiler takes profiles again");
    }
    uploader->told_success = true;
    uploader->told = CPROF_TROUBLE_NONE;
}

static void create_failed(struct cprof_uploader *uploader, enum cprof_trouble trouble,
                          const char *detail, uint64_t retry_delay_ns)
{
    uint64_t wait_ns = cprof_backoff_next_ns(&uploader->create_backoff, retry_delay_ns);

    tell_trouble(uploader, trouble, detail, wait_ns);
    create_in(uploader, wait_ns);
}

static void count_dropped(struct cprof_uploader *uploader)
{
    uploader->host.count(uploader->host.context, false, 0);
}

static void end_session(struct cprof_uploader *uploader)
{
    if (uploader->in_session) {
        cprof_session_reset(&uploader->session);
    }
    uploader->in_session = false;
    uploader->window = NO_WINDOW;
}

static void drop_session(struct cprof_uploader *uploader, const char *why)
{
    cprof_log(CPROF_LOG_WARNING, "Cloud Profiler: the profile that was asked for is dropped: %s",
              why);
    end_session(uploader);
    create_in(uploader, cprof_backoff_next_ns(&uploader->create_backoff, 0));
}

/* The window ends in cprof_uploader_window_finished; nothing is due until then. */
static void open_window(struct cprof_uploader *uploader)
{
    struct cprof_upload_order order = {
        .kind = uploader->session.kind,
        .duration_ns = uploader->session.duration_ns,
        .ticket = uploader->session.json,
        .ticket_bytes = strlen(uploader->session.json),
    };

    uploader->window = uploader->host.open(uploader->host.context, &order);
    if (uploader->window >= 0) {
        uploader->busy = true;
        return;
    }
    uploader->window = NO_WINDOW;
    if (++uploader->window_tries < WINDOW_TRIES) {
        turn_in(uploader, WINDOW_RETRY_NS);
    } else {
        count_dropped(uploader);
        drop_session(uploader, "no window could be opened for it");
    }
}

static void created(void *context, const struct cprof_reply *reply)
{
    struct cprof_uploader *uploader = context;
    struct cprof_error error;

    if (reply->trouble != CPROF_TROUBLE_NONE) {
        create_failed(uploader, reply->trouble, reply->detail, reply->retry_delay_ns);
        return;
    }
    if (!cprof_session_read(&uploader->session, reply->body, reply->body_bytes,
                            uploader->deployment.project_id, cprof_config_kinds(uploader->config),
                            &error)) {
        cprof_credentials_hide_token(uploader->credentials, error.text);
        create_failed(uploader, CPROF_TROUBLE_NONSENSE, error.text, reply->retry_delay_ns);
        return;
    }
    cprof_backoff_succeeded(&uploader->create_backoff);
    tell_success(uploader);
    cprof_log(CPROF_LOG_DEBUG, "Cloud Profiler: asked for %.1f s of %s time",
              (double)uploader->session.duration_ns / 1e9,
              uploader->session.kind == CPROF_KIND_CPU ? "CPU" : "wall");
    uploader->in_session = true;
    uploader->window_tries = 0;
    open_window(uploader);
}

static void create(struct cprof_uploader *uploader)
{
    char path[CPROF_API_TEXT_BYTES];
    struct cprof_call call = {
        .method = "POST",
        .path = path,
        .deadline_ms = CREATE_DEADLINE_MS,
    };

    if (!cprof_api_create_path(path, sizeof(path), &uploader->deployment)) {
        create_failed(uploader, CPROF_TROUBLE_NO_PROJECT, "", 0);
        return;
    }
    call.body = cprof_api_create_body(&uploader->deployment, cprof_config_kinds(uploader->config));
    if (!call.body) {
        create_failed(uploader, CPROF_TROUBLE_BROKEN, "no memory for the request", 0);
        return;
    }
    uploader->busy = true;
    uploader->create_after_ns = cprof_now_ns() + CREATE_GAP_NS;
    cprof_caller_call(uploader->caller, &call, created, uploader);
}

static void release_window(struct cprof_uploader *uploader, struct cprof_pending *item)
{
    if (item->handle >= 0) {
        uploader->host.release(uploader->host.context, item->handle);
    }
    item->handle = NO_WINDOW;
}

static void finish_upload(struct cprof_uploader *uploader)
{
    release_window(uploader, &uploader->pending.items[0]);
    cprof_pending_remove_first(&uploader->pending);
    uploader->update_after_ns = 0;
    cprof_backoff_init(&uploader->update_backoff, FIRST_UPDATE_BACKOFF_NS,
                       uploader->update_backoff.random);
    turn_in(uploader, 0);
}

/* What a former gateway may have sent already is refused by the API: no trouble. After another one
 * comes a pause: a server that hands out sessions at once and refuses what they give would be
 * asked without end. */
static void drop_upload(struct cprof_uploader *uploader, const char *why)
{
    bool adopted = uploader->pending.items[0].adopted;

    count_dropped(uploader);
    cprof_log(adopted ? CPROF_LOG_INFO : CPROF_LOG_WARNING,
              "Cloud Profiler: a profile is dropped: %s", why);
    finish_upload(uploader);
    if (!adopted) {
        create_in(uploader, cprof_backoff_next_ns(&uploader->create_backoff, 0));
    }
}

/* Later, if the name will still be good. The logs are not kept waiting. */
static void retry_upload(struct cprof_uploader *uploader, const struct cprof_reply *reply)
{
    struct cprof_pending *item = &uploader->pending.items[0];
    uint64_t wait_ns = cprof_backoff_next_ns(&uploader->update_backoff, reply->retry_delay_ns);
    char text[1024];

    if (cprof_now_ns() + wait_ns > item->give_up_ns) {
        cprof_trouble_explain(text, sizeof(text), reply->trouble, &uploader->deployment,
                              reply->detail);
        drop_upload(uploader, text);
        return;
    }
    item->failures++;
    release_window(uploader, item);
    tell_trouble(uploader, reply->trouble, reply->detail, wait_ns);
    uploader->update_after_ns = cprof_now_ns() + wait_ns;
    turn_in(uploader, wait_ns);
}

static void updated(void *context, const struct cprof_reply *reply)
{
    struct cprof_uploader *uploader = context;
    const struct cprof_pending *item = &uploader->pending.items[0];
    char text[1024];

    cprof_session_reset(&uploader->sending);
    if (reply->trouble == CPROF_TROUBLE_NONE) {
        uploader->host.count(uploader->host.context, true, item->byte_count);
        cprof_log(CPROF_LOG_DEBUG, "Cloud Profiler: a profile of %zu bytes is sent",
                  item->byte_count);
        tell_success(uploader);
        finish_upload(uploader);
        return;
    }
    if (cprof_trouble_passes(reply->trouble)) {
        retry_upload(uploader, reply);
        return;
    }
    cprof_trouble_explain(text, sizeof(text), reply->trouble, &uploader->deployment, reply->detail);
    drop_upload(uploader, text);
}

static void update(struct cprof_uploader *uploader)
{
    const struct cprof_pending *item = &uploader->pending.items[0];
    char path[CPROF_API_TEXT_BYTES + 8];
    struct cprof_call call = {
        .method = "PATCH",
        .path = path,
        .deadline_ms = UPDATE_DEADLINE_MS,
    };
    struct cprof_error error;

    if (!cprof_session_read(&uploader->sending, item->ticket, strlen(item->ticket),
                            uploader->deployment.project_id, CPROF_KINDS_ALL, &error)) {
        drop_upload(uploader, error.text);
        return;
    }
    (void)snprintf(path, sizeof(path), "/v2/%s", uploader->sending.name);
    call.body = cprof_api_update_body(&uploader->sending, &uploader->deployment, item->bytes,
                                      item->byte_count);
    if (!call.body) {
        cprof_session_reset(&uploader->sending);
        drop_upload(uploader, item->byte_count > CPROF_API_PROFILE_BYTES_MAX
                                  ? "it is larger than any that can be sent (64 MiB)"
                                  : "no memory for the request");
        return;
    }
    uploader->busy = true;
    cprof_caller_call(uploader->caller, &call, updated, uploader);
}

static void found_place(void *context, const struct cprof_place *place)
{
    struct cprof_uploader *uploader = context;

    uploader->place = *place;
    uploader->place_known = true;
    turn_in(uploader, 0);
}

static void find_out(struct cprof_uploader *uploader)
{
    struct cprof_error error;
    const char *project;

    if (!uploader->place_known) {
        uploader->busy = true;
        cprof_metadata_find(uploader->metadata, found_place, uploader);
        return;
    }
    project = cprof_credentials_project(uploader->credentials, &error);
    uploader->deployed =
        cprof_deployment_find(&uploader->deployment, uploader->config, project, &uploader->place);
    if (uploader->deployed) {
        turn_in(uploader, 0);
        return;
    }
    uploader->place_known = false; /* the metadata server may come later */
    /* A key file that cannot be used might have named the project. */
    create_failed(uploader,
                  error.text[0] != '\0' ? CPROF_TROUBLE_CREDENTIALS : CPROF_TROUBLE_NO_PROJECT,
                  error.text, 0);
}

/* Does what may be done now; returns when to look again, or 0: something is under way. */
static uint64_t act(struct cprof_uploader *uploader, uint64_t now_ns)
{
    if (!uploader->deployed) {
        if (now_ns < uploader->create_after_ns) {
            return uploader->create_after_ns;
        }
        find_out(uploader);
    } else if (uploader->pending.count > 0) {
        if (now_ns < uploader->update_after_ns) {
            return uploader->update_after_ns;
        }
        update(uploader);
    } else if (uploader->in_session) {
        open_window(uploader);
    } else if (uploader->host.expects_more(uploader->host.context)) {
        return now_ns + ADOPTION_LOOK_NS;
    } else if (now_ns < uploader->create_after_ns) {
        return uploader->create_after_ns;
    } else {
        create(uploader);
    }
    return 0;
}

static void take_turn(void *context, uint64_t now_ns)
{
    struct cprof_uploader *uploader = context;
    uint64_t again_ns = uploader->busy ? 0 : act(uploader, now_ns);

    if (again_ns != 0) {
        uploader->turn.due_ns = again_ns;
    }
}

static void add_pending(struct cprof_uploader *uploader, const struct cprof_pending *item,
                        size_t ticket_bytes)
{
    if (!cprof_pending_add(&uploader->pending, item, ticket_bytes)) {
        count_dropped(uploader);
        cprof_log(CPROF_LOG_WARNING, "Cloud Profiler: a profile is dropped: too many wait");
        uploader->host.release(uploader->host.context, item->handle);
    }
}

void cprof_uploader_window_finished(struct cprof_uploader *uploader, int handle,
                                    const uint8_t *bytes, size_t byte_count)
{
    struct cprof_pending item = {
        .handle = handle,
        .bytes = (uint8_t *)(uintptr_t)bytes,
        .byte_count = byte_count,
        .give_up_ns = cprof_now_ns() + NAME_GOOD_NS,
    };

    if (!uploader->in_session || handle != uploader->window) {
        uploader->host.release(uploader->host.context, handle);
        return;
    }
    if (!bytes) {
        uploader->host.release(uploader->host.context, handle);
        drop_session(uploader, "its window is lost");
        return;
    }
    item.ticket = uploader->session.json;
    add_pending(uploader, &item, strlen(uploader->session.json));
    end_session(uploader);
    turn_in(uploader, 0);
}

void cprof_uploader_adopt(struct cprof_uploader *uploader, int handle, const char *ticket,
                          size_t ticket_bytes, const uint8_t *bytes, size_t byte_count)
{
    struct cprof_pending item = {
        .handle = handle,
        .adopted = true,
        .ticket = (char *)(uintptr_t)ticket,
        .bytes = (uint8_t *)(uintptr_t)bytes,
        .byte_count = byte_count,
        .give_up_ns = cprof_now_ns() + NAME_GOOD_NS,
    };

    if (!bytes) {
        uploader->host.release(uploader->host.context, handle);
        return;
    }
    add_pending(uploader, &item, ticket_bytes);
    if (!uploader->busy) {
        turn_in(uploader, 0);
    }
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        seed = cprof_now_ns();
    }
    return seed;
}

static bool create_rooms(struct cprof_uploader *uploader, struct cprof_error *error)
{
    const struct cprof_config *config = uploader->config;
    struct cprof_http_settings settings = {.ca_file = config->ca_file, .user_agent = USER_AGENT};

    uploader->client = cprof_http_client_create(uploader->loop, &settings, error);
    if (!uploader->client) {
        return false;
    }
    uploader->metadata =
        cprof_metadata_create(uploader->client, uploader->loop, config->disable_metadata != 0);
    if (!uploader->metadata) {
        return cprof_fail(error, "no memory for the upload to Cloud Profiler");
    }
    uploader->credentials = cprof_credentials_create(uploader->client, uploader->loop,
                                                     uploader->metadata, config->credentials);
    if (!uploader->credentials) {
        return cprof_fail(error, "no memory for the upload to Cloud Profiler");
    }
    uploader->caller = cprof_caller_create(uploader->client, uploader->credentials, config);
    return uploader->caller ? true
                            : cprof_fail(error, "no memory for the upload to Cloud Profiler");
}

static void free_rooms(struct cprof_uploader *uploader)
{
    cprof_caller_destroy(uploader->caller);
    cprof_credentials_destroy(uploader->credentials);
    cprof_metadata_destroy(uploader->metadata);
    cprof_http_client_destroy(uploader->client);
}

struct cprof_uploader *cprof_uploader_create(struct cprof_loop *loop,
                                             const struct cprof_config *config,
                                             const struct cprof_upload_host *host,
                                             struct cprof_error *error)
{
    struct cprof_uploader *uploader = calloc(1, sizeof(*uploader));

    if (!uploader) {
        cprof_fail(error, "no memory for the upload to Cloud Profiler");
        return NULL;
    }
    uploader->loop = loop;
    uploader->config = config;
    uploader->host = *host;
    uploader->window = NO_WINDOW;
    uploader->turn = (struct cprof_loop_timer){.due_ns = 0, .fire = take_turn, .context = uploader};
    cprof_backoff_init(&uploader->create_backoff, config->initial_backoff_s * NS_PER_S,
                       random_seed());
    cprof_backoff_init(&uploader->update_backoff, FIRST_UPDATE_BACKOFF_NS, random_seed());
    if (!create_rooms(uploader, error)) {
        goto fail;
    }
    if (!cprof_loop_add_timer(loop, &uploader->turn)) {
        cprof_fail(error, "the loop has no place left");
        goto fail;
    }
    return uploader;
fail:
    free_rooms(uploader);
    free(uploader);
    return NULL;
}

void cprof_uploader_destroy(struct cprof_uploader *uploader)
{
    unsigned unsent;

    if (!uploader) {
        return;
    }
    unsent = uploader->pending.count + (uploader->in_session ? 1 : 0);
    if (unsent > 0) {
        cprof_log(CPROF_LOG_INFO, "Cloud Profiler: %u profile%s not sent any more", unsent,
                  unsent > 1 ? "s are" : " is");
    }
    cprof_loop_remove_timer(uploader->loop, &uploader->turn);
    free_rooms(uploader);
    end_session(uploader);
    cprof_session_reset(&uploader->sending);
    cprof_pending_reset(&uploader->pending);
    free(uploader);
}

unsigned cprof_uploader_queued(const struct cprof_uploader *uploader)
{
    return uploader->pending.count;
}

void cprof_uploader_trouble(const struct cprof_uploader *uploader, char *text, size_t text_bytes)
{
    text[0] = '\0';
    if (uploader->told != CPROF_TROUBLE_NONE) {
        cprof_trouble_explain(text, text_bytes, uploader->told, &uploader->deployment,
                              uploader->told_detail);
    }
}
