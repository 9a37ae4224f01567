/* commands.h - what operators tell a running server to do, by uWSGI's own means.
 *
 *     fifo     letters of the master's fifo, where they are free: d writes all stacks to the log,
 *              t switches profiling off and on, k takes a profile
 *     hook     `cloudprofiler:COMMAND`, mostly behind hook-touch
 *     alarm    `alarm = NAME cloudprofiler:COMMAND`
 *     route    route.h
 *
 * These four words are uWSGI's and stay its own; what comes by them is a command.
 *
 * All put a command into shared memory (segment/commands.h) and ring; the gateway does the rest. A
 * server that profiles nothing says so in its log and goes on.
 *
 * Callers   the master at its start; then uWSGI, in the master's threads mostly.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HOST_COMMANDS_H
#define CPROF_HOST_COMMANDS_H

#include <stdbool.h>

#include "../../shared/segment/commands.h"

/* In on_load: makes hook and alarm known. uWSGI ends itself when a configuration names one that
 * it does not know, so that this comes before anything that may refuse to work. */
void cprof_host_commands_register(void);

/* In postinit_apps, when shared memory stands: commands go there from now on. Both are for the
 * life of the process and of those that it forks. */
void cprof_host_commands_start(struct cprof_commands *commands, const struct cprof_bell *bell);

/* Puts a command and rings. False: there is no gateway to hear it, or it has more to do than it
 * can. */
bool cprof_host_commands_send(const struct cprof_command *command);

#endif
