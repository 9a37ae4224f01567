/* routes.h - which path is answered by whom.
 *
 *     GET  /                        the page; /NAME its files
 *     GET  /debug/pprof/            index
 *     GET  /debug/pprof/profile     a CPU profile, now; /debug/pprof/wall a wall profile
 *     GET  /debug/pprof/stacks      what all threads do now, as text
 *     GET  /status                  JSON;  /metrics: Prometheus' text
 *     GET  /profiles/               the recent profiles and files of output-dir, JSON
 *     GET  /profiles/ID             one of them
 *     POST /actions/COMMAND         what changes anything
 *
 * Callers   the gateway's thread, with requests that the guard has let pass.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_ROUTES_H
#define CPROF_WEB_ROUTES_H

#include <stdbool.h>

#include "request.h"
#include "site.h"

/* Files that stand for themselves need no token. */
bool cprof_web_route_is_public(const char *path);

/* Answers, or keeps the request for later. */
void cprof_web_route(const struct cprof_web_site *site, struct cprof_web_request *request);

#endif
