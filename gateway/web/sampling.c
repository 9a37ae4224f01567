/* sampling.c - see sampling.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sampling.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../profile/kind.h"
#include "query.h"
#include "send_profile.h"

/* A request that waits for its window. */
struct waiting {
    const struct cprof_web_site *site;
    struct cprof_web_request *request;
    struct cprof_web_query query;
    enum cprof_kind kind;
    uint64_t order;
};

static struct cprof_profile *find_kind(struct cprof_harvest *harvest, enum cprof_kind kind)
{
    for (unsigned i = 0; harvest && i < harvest->count; i++) {
        if (harvest->profiles[i].table.kind == kind) {
            return &harvest->profiles[i];
        }
    }
    return NULL;
}

static void ready(void *context, const struct cprof_demand_result *result)
{
    struct waiting *waiting = context;
    struct cprof_profile *profile = find_kind(result->harvest, waiting->kind);
    struct cprof_error error;
    char name[64];

    if (profile && cprof_profile_pack(profile, &error)) {
        const struct cprof_profile_bytes bytes = {
            .bytes = profile->bytes, .byte_count = profile->byte_count, .table = &profile->table};

        (void)snprintf(name, sizeof(name), "%s-%u.pb.gz", cprof_kind_name(waiting->kind),
                       result->window->id);
        cprof_web_send_profile(waiting->site, waiting->request, &bytes, &waiting->query, name);
    } else {
        cprof_web_answer_line(waiting->request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                              "the window was lost: the log says why");
    }
    free(waiting);
}

static void gone(void *context)
{
    struct waiting *waiting = context;

    cprof_demand_cancel(waiting->site->demand, waiting->order);
    free(waiting);
}

static bool is_disabled(const struct cprof_config *config, enum cprof_kind kind)
{
    return kind == CPROF_KIND_CPU ? config->disable_cpu : config->disable_wall;
}

static bool is_off(const struct cprof_web_site *site)
{
    return !cprof_command_settings(site->commands)->on;
}

static void order(struct waiting *waiting)
{
    const struct cprof_demand_order demand = {
        .kinds = (uint32_t)waiting->kind,
        .duration_ns = waiting->query.seconds * NS_PER_S,
        .period_ns = waiting->query.period_ms * NS_PER_MS,
        .asker = "HTTP",
        .ready = ready,
        .context = waiting,
    };
    struct cprof_error error;

    waiting->order = cprof_demand_order(waiting->site->demand, &demand, &error);
    if (waiting->order == 0) {
        cprof_web_answer_line(waiting->request, MHD_HTTP_TOO_MANY_REQUESTS, "%s", error.text);
        free(waiting);
        return;
    }
    cprof_web_on_gone(waiting->request, gone, waiting);
}

void cprof_web_sample(const struct cprof_web_site *site, struct cprof_web_request *request,
                      enum cprof_kind kind)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    struct cprof_error error;

    if (!waiting) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }
    *waiting = (struct waiting){.site = site, .request = request, .kind = kind};
    if (is_off(site)) {
        cprof_web_answer_line(request, MHD_HTTP_CONFLICT, "profiling is off: POST /actions/on");
    } else if (is_disabled(site->config, kind)) {
        cprof_web_answer_line(request, MHD_HTTP_CONFLICT,
                              "profiles of %s time are switched off, by an operator or by "
                              "cloudprofiler-disable-%s-profiling",
                              cprof_kind_title(kind), cprof_kind_name(kind));
    } else if (!cprof_web_query_read(&waiting->query, request, &error)) {
        cprof_web_answer_line(request, MHD_HTTP_BAD_REQUEST, "%s", error.text);
    } else {
        order(waiting);
        return;
    }
    free(waiting);
}

/* A request that waits for the stacks. */
struct stacks_waiting {
    const struct cprof_web_site *site;
    struct cprof_web_request *request;
    enum cprof_stacks_form form;
    uint64_t order;
};

static void stacks_ready(void *context, const char *text)
{
    struct stacks_waiting *waiting = context;
    char *copy = text ? strdup(text) : NULL;

    if (copy) {
        cprof_web_answer(waiting->request, MHD_HTTP_OK,
                         waiting->form == CPROF_STACKS_JSON ? "application/json"
                                                            : "text/plain; charset=utf-8",
                         (uint8_t *)copy, strlen(copy));
    } else {
        cprof_web_answer_line(waiting->request, MHD_HTTP_INTERNAL_SERVER_ERROR,
                              "there are no stacks: the log says why");
    }
    free(waiting);
}

static void stacks_gone(void *context)
{
    struct stacks_waiting *waiting = context;

    cprof_stacks_cancel(waiting->site->stacks, waiting->order);
    free(waiting);
}

/* The text is the default; other parameters are the guard's or say nothing here. */
static bool take_form(void *context, const char *name, const char *value)
{
    enum cprof_stacks_form *form = context;

    if (strcmp(name, "format") == 0) {
        *form = strcmp(value, "json") == 0   ? CPROF_STACKS_JSON
                : strcmp(value, "text") == 0 ? CPROF_STACKS_TEXT
                                             : CPROF_STACKS_FORMS;
    }
    return *form != CPROF_STACKS_FORMS;
}

static void order_stacks(struct stacks_waiting *waiting)
{
    struct cprof_error error;

    waiting->order =
        cprof_stacks_order(waiting->site->stacks, waiting->form, stacks_ready, waiting, &error);
    if (waiting->order == 0) {
        cprof_web_answer_line(waiting->request, MHD_HTTP_TOO_MANY_REQUESTS, "%s", error.text);
        free(waiting);
        return;
    }
    cprof_web_on_gone(waiting->request, stacks_gone, waiting);
}

void cprof_web_stacks(const struct cprof_web_site *site, struct cprof_web_request *request)
{
    struct stacks_waiting *waiting = calloc(1, sizeof(*waiting));

    if (!waiting) {
        cprof_web_answer_line(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory");
        return;
    }
    *waiting = (struct stacks_waiting){.site = site, .request = request};
    cprof_web_each_parameter(request, take_form, &waiting->form);
    if (waiting->form == CPROF_STACKS_FORMS) {
        cprof_web_answer_line(request, MHD_HTTP_BAD_REQUEST, "format: give text or json");
        free(waiting);
        return;
    }
    order_stacks(waiting);
}
