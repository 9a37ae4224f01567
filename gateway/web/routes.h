/* routes.h - which path is answered by whom.
 *
 *     GET  /                        the page; /NAME its files
 *     GET  /debug/pprof/            index
 *     GET  /debug/pprof/profile     a CPU profile, now; /debug/pprof/wall a wall profile
 *     GET  /debug/pprof/stacks      what all threads do now, as text
 *     GET  /status                  JSON;  /metrics: Prometheus' text
 *     GET  /profiles/               the recent profiles and files of output-dir, JSON
 *     GET  /profiles/ID             one of them; /profiles/ID/diff?with=ID two recent ones
 *     POST /actions/VERB            what changes anything
 *
 * Callers   the gateway's thread, with requests that the guard has let pass.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_ROUTES_H
#define CPROF_WEB_ROUTES_H

#include <stdbool.h>

#include "../../shared/base/config.h"
#include "../askers/demand.h"
#include "../askers/stacks.h"
#include "../control/actions.h"
#include "../sinks/recent.h"
#include "../status/status.h"
#include "request.h"

/* What the routes show and ask. All borrowed. */
struct cprof_web_site {
    const struct cprof_config *config;
    const struct cprof_output *output; /* NULL: there is no directory */
    struct cprof_demand *demand;
    struct cprof_recent *recent;
    struct cprof_status *status;
    struct cprof_stacks *stacks;
    void *context; /* of the functions that follow; NULL in their place: that route is not there */
    /* What is in force; NULL: what is configured. */
    const struct cprof_settings *(*settings)(void *context);
    /* Carries out the verb behind /actions/ with the request's parameters, and answers. */
    void (*act)(void *context, const char *verb, struct cprof_web_request *request);
};

/* Files that stand for themselves need no token. */
bool cprof_web_route_is_public(const char *path);

/* Answers, or keeps the request for later. */
void cprof_web_route(const struct cprof_web_site *site, struct cprof_web_request *request);

#endif
