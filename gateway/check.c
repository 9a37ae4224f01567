/* check.c - see check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check.h"

#include "../shared/base/log.h"
#include "../shared/base/units.h"
#include "../shared/segment/window.h"
#include "cloud/deployment.h"
#include "credentials/credentials.h"
#include "http/client.h"
#include "loop/loop.h"

#define DEADLINE_NS  (60 * NS_PER_S)
#define CALL_MS      20000u
#define ANSWER_BYTES 65536u
#define USER_AGENT   "uwsgi-cloudprofiler/" CPROF_VERSION

struct check {
    const struct cprof_config *config;
    struct cprof_loop loop;
    struct cprof_loop_timer deadline;
    struct cprof_http_client *client;
    struct cprof_metadata *metadata;
    struct cprof_credentials *credentials;
    bool has_project, has_token, has_endpoint;
};

static void give_up(void *context, uint64_t now_ns)
{
    struct check *check = context;

    (void)now_ns;
    cprof_notice("check: FAILED: no answer within a minute");
    cprof_loop_stop(&check->loop);
}

static void answered(void *context, const struct cprof_http_answer *answer)
{
    struct check *check = context;

    check->has_endpoint = answer->outcome == CPROF_HTTP_ANSWERED;
    if (check->has_endpoint) {
        cprof_notice("check: ok: %s answers", check->config->api_endpoint);
    } else {
        cprof_notice("check: FAILED: %s does not answer: %s", check->config->api_endpoint,
                     answer->trouble);
    }
    cprof_loop_stop(&check->loop);
}

static void ask_endpoint(struct check *check)
{
    const struct cprof_http_request request = {
        .channel = CPROF_HTTP_API,
        .method = "GET",
        .url = check->config->api_endpoint,
        .deadline_ms = CALL_MS,
        .answer_bytes_max = ANSWER_BYTES,
    };
    struct cprof_error error;

    if (!cprof_http_start(check->client, &request, answered, check, &error)) {
        cprof_notice("check: FAILED: %s: %s", check->config->api_endpoint, error.text);
        cprof_loop_stop(&check->loop);
    }
}

static void got_token(void *context, const struct cprof_token *token,
                      const struct cprof_error *error)
{
    struct check *check = context;

    check->has_token = token != NULL;
    if (token) {
        cprof_notice("check: ok: the credentials give a token");
    } else {
        cprof_notice("check: FAILED: no token: %s", error->text);
    }
    ask_endpoint(check);
}

static void found_place(void *context, const struct cprof_place *place)
{
    struct check *check = context;
    struct cprof_deployment deployment;
    struct cprof_error error; /* told with the token, which misses the same file */
    const char *project = cprof_credentials_project(check->credentials, &error);

    check->has_project = cprof_deployment_find(&deployment, check->config, project, place);
    if (check->has_project) {
        cprof_notice("check: ok: the project is %s", deployment.project_id);
    } else {
        cprof_notice("check: FAILED: no project is known; give cloudprofiler-project-id");
    }
    cprof_credentials_get(check->credentials, got_token, check);
}

static bool set_up(struct check *check, struct cprof_error *error)
{
    const struct cprof_http_settings settings = {.ca_file = check->config->ca_file,
                                                 .user_agent = USER_AGENT};

    cprof_loop_init(&check->loop);
    check->deadline = (struct cprof_loop_timer){
        .due_ns = cprof_now_ns() + DEADLINE_NS, .fire = give_up, .context = check};
    check->client = cprof_http_client_create(&check->loop, &settings, error);
    if (!check->client || !cprof_loop_add_timer(&check->loop, &check->deadline)) {
        return false;
    }
    check->metadata =
        cprof_metadata_create(check->client, &check->loop, check->config->disable_metadata != 0);
    check->credentials = check->metadata
                             ? cprof_credentials_create(check->client, &check->loop,
                                                        check->metadata, check->config->credentials)
                             : NULL;
    return check->credentials ? true : cprof_fail(error, "out of memory");
}

bool cprof_check_upload(const struct cprof_config *config)
{
    struct check check = {.config = config};
    struct cprof_error error = {0};

    if (set_up(&check, &error)) {
        cprof_metadata_find(check.metadata, found_place, &check);
        cprof_loop_run(&check.loop);
    } else {
        cprof_notice("check: FAILED: %s", error.text);
    }
    cprof_credentials_destroy(check.credentials);
    cprof_metadata_destroy(check.metadata);
    cprof_http_client_destroy(check.client);
    return check.has_project && check.has_token && check.has_endpoint;
}
