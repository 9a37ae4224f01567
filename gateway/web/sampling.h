/* sampling.h - /debug/pprof/profile and /debug/pprof/wall: a profile of the next seconds;
 * /debug/pprof/stacks: what all threads do.
 *
 * Callers   the gateway's thread; the request waits, nobody else does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SAMPLING_H
#define CPROF_WEB_SAMPLING_H

#include "../../shared/segment/layout.h"
#include "routes.h"

/* Orders the window that the request asks for, and answers when it has ended. */
void cprof_web_sample(const struct cprof_web_site *site, struct cprof_web_request *request,
                      enum cprof_kind kind);

/* What all threads do now, as text or, with format=json, as JSON. */
void cprof_web_stacks(const struct cprof_web_site *site, struct cprof_web_request *request);

#endif
