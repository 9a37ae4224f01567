/* verbs.h - what operators tell a running server to do, by uWSGI's own means.
 *
 *     fifo     letters of the master's fifo, where they are free: d writes all stacks to the log,
 *              t switches profiling off and on, k takes a profile
 *     hook     `cloudprofiler:VERB`, mostly behind hook-touch
 *     alarm    `alarm = NAME cloudprofiler:VERB`
 *     route    route.h
 *
 * All put a command into shared memory (segment/commands.h) and ring; the gateway does the rest. A
 * server that profiles nothing says so in its log and goes on.
 *
 * Callers   the master at its start; then uWSGI, in the master's threads mostly.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_VERBS_H
#define CPROF_VERBS_H

#include <stdbool.h>

#include "../../shared/segment/commands.h"

/* In on_load: makes hook and alarm known. uWSGI ends itself when a configuration names one that
 * it does not know, so that this comes before anything that may refuse to work. */
void cprof_verbs_register(void);

/* In postinit_apps, when shared memory stands: commands go there from now on. Both are for the
 * life of the process and of those that it forks. */
void cprof_verbs_start(struct cprof_commands *commands, const struct cprof_bell *bell);

/* Puts a command and rings. False: there is no gateway to hear it, or it has more to do than it
 * can. */
bool cprof_verbs_send(const struct cprof_command *command);

#endif
