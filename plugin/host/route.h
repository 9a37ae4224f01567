/* route.h - the route action: `route = ^/profile cloudprofiler-profile:seconds=30,kind=wall`.
 *
 * Put behind uWSGI's own authentication routers. A request for which no profile has been finished
 * orders one and is answered 202 with Retry-After; a later one gets the profile, a pprof file. The
 * worker neither talks to the gateway nor waits for it. 503: profiles cannot be had.
 *
 * Callers   the master at its start; then uWSGI, in workers, with a request.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ROUTE_H
#define CPROF_ROUTE_H

#include "../../shared/segment/commands.h"
#include "../../shared/segment/results.h"

/* In on_load. Does nothing where uWSGI was built without routing. */
void cprof_route_register(void);

/* In postinit_apps; both for the life of the process and of those that it forks. */
void cprof_route_start(struct cprof_commands *commands, const struct cprof_results *results);

#endif
