/* cockpit.h - what operators see and ask: windows on demand, the status, and the local endpoint that
 * shows them.
 *
 * Callers   the gateway's thread.
 * Absence   without cloudprofiler-http there is no endpoint; all else is there, because fifo, hooks
 *           and alarms ask for profiles, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COCKPIT_H
#define CPROF_COCKPIT_H

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../loop/loop.h"
#include "../windows/windows.h"
#include "routes.h"

struct cprof_cockpit;

/* Everything is borrowed until the end. Adopts the windows on demand: before
 * cprof_windows_begin. NULL with the error. */
struct cprof_cockpit *cprof_cockpit_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment,
                                           struct cprof_windows *windows, struct cprof_loop *loop,
                                           struct cprof_error *error) CPROF_MUST_USE;
/* Before the windows end. NULL is fine. */
void cprof_cockpit_destroy(struct cprof_cockpit *cockpit);

/* What it consists of. The caller sets what is NULL, before the loop runs. */
struct cprof_web_site *cprof_cockpit_site(struct cprof_cockpit *cockpit);

/* Opens the endpoint, if one is configured; once, when the site is complete. That it cannot be
 * opened is said, and all else goes on. */
void cprof_cockpit_open(struct cprof_cockpit *cockpit);

#endif
