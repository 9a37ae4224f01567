/* cockpit.c - see cockpit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cockpit.h"

#include <stdlib.h>

#include "../../shared/base/log.h"
#include "server.h"

struct cprof_cockpit {
    const struct cprof_config *config;
    struct cprof_loop *loop;
    struct cprof_web_site site;
    struct cprof_web_server *server; /* NULL: there is no endpoint */
};

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
    cockpit->site.status = cprof_status_create(segment, error);
    cockpit->site.demand = cprof_demand_create(config, windows, error);
    cockpit->site.stacks = cprof_stacks_create(config, segment, windows, error);
    if (!cockpit->site.status || !cockpit->site.demand || !cockpit->site.stacks) {
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
    free(cockpit);
}
