/* cockpit.c - see cockpit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cockpit.h"

#include <stdlib.h>

#include "../../shared/base/log.h"
#include "server.h"

/* Shorter windows are looks at stacks: no profile that anybody would choose from a list. */
#define RECENT_NS_MIN UINT64_C(900000000)

struct cprof_cockpit {
    const struct cprof_config *config;
    struct cprof_loop *loop;
    struct cprof_web_site site;
    struct cprof_web_server *server; /* NULL: there is no endpoint */
};

static void keep(struct cprof_recent *recent, const struct cprof_window_result *result)
{
    const struct cprof_window *window = result->window;

    for (unsigned i = 0; result->harvest && i < result->harvest->count; i++) {
        const struct cprof_recent_profile profile = {
            .kind = result->harvest->profiles[i].kind,
            .source = (enum cprof_window_source)window->source,
            .start_unix_ns = window->start_unix_ns,
            .duration_ns = window->end_ns - window->start_ns,
            .bytes = result->harvest->profiles[i].bytes,
            .byte_count = result->harvest->profiles[i].byte_count,
        };

        if (profile.bytes && profile.duration_ns >= RECENT_NS_MIN) {
            (void)cprof_recent_add(recent, &profile); /* without memory it is not kept */
        }
    }
}

void cprof_cockpit_window_ended(struct cprof_cockpit *cockpit,
                                const struct cprof_window_result *result)
{
    cprof_status_window_ended(cockpit->site.status, result);
    if (result->window->source != CPROF_SOURCE_WATCH) { /* parts; what they become is kept */
        keep(cockpit->site.recent, result);
    }
}

struct cprof_cockpit *cprof_cockpit_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment,
                                           struct cprof_windows *windows, struct cprof_loop *loop,
                                           struct cprof_error *error)
{
    struct cprof_cockpit *cockpit = calloc(1, sizeof(*cockpit));

    if (!cockpit) {
        cprof_fail(error, "no memory for what operators see");
        return NULL;
    }
    cockpit->config = config;
    cockpit->loop = loop;
    cockpit->site.config = config;
    cockpit->site.recent = cprof_recent_create();
    cockpit->site.status = cprof_status_create(segment, error);
    cockpit->site.demand = cprof_demand_create(config, windows, error);
    cockpit->site.stacks = cprof_stacks_create(config, segment, windows, error);
    if (!cockpit->site.recent || !cockpit->site.status || !cockpit->site.demand ||
        !cockpit->site.stacks) {
        cprof_cockpit_destroy(cockpit);
        cprof_fail(error, "no memory for what operators see");
        return NULL;
    }
    return cockpit;
}

struct cprof_web_site *cprof_cockpit_site(struct cprof_cockpit *cockpit)
{
    return &cockpit->site;
}

void cprof_cockpit_open(struct cprof_cockpit *cockpit)
{
    struct cprof_error error;

    if (cockpit->config->http_address[0] == '\0' || cockpit->server) {
        return;
    }
    cockpit->server =
        cprof_web_server_create(cockpit->config, cockpit->loop, &cockpit->site, &error);
    if (!cockpit->server) {
        cprof_log(CPROF_LOG_WARNING, "there is no endpoint: %s", error.text);
    }
}

void cprof_cockpit_destroy(struct cprof_cockpit *cockpit)
{
    if (!cockpit) {
        return;
    }
    cprof_web_server_destroy(cockpit->server);
    cprof_stacks_destroy(cockpit->site.stacks);
    cprof_demand_destroy(cockpit->site.demand);
    cprof_status_destroy(cockpit->site.status);
    cprof_recent_destroy(cockpit->site.recent);
    free(cockpit);
}
