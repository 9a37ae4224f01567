/* site.h - what the routes show and ask.
 *
 * Callers   the gateway's thread. Who wires the gateway fills it in before the loop runs.
 * Memory    all is borrowed, and outlives the server that has the routes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SITE_H
#define CPROF_WEB_SITE_H

#include "../../shared/base/config.h"
#include "../askers/demand.h"
#include "../askers/scheduled_windows.h"
#include "../askers/stacks.h"
#include "../control/command_runner.h"
#include "../loop/side_thread.h"
#include "../sinks/recent.h"
#include "../status/status.h"

struct cprof_web_site {
    const struct cprof_config *config;
    const struct cprof_output *output;     /* NULL: there is no directory; the thread's for files */
    struct cprof_side_thread *files;       /* NULL: files are read at once */
    struct cprof_side_thread *conversions; /* likewise */
    struct cprof_demand *demand;
    struct cprof_recent *recent;
    struct cprof_status *status;
    struct cprof_stacks *stacks;
    const struct cprof_scheduled_windows *scheduled;
    struct cprof_command_runner *commands;
};

#endif
