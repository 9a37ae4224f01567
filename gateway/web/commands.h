/* commands.h - commands that come by HTTP: POST /actions/COMMAND with a form.
 *
 *     profile    kind=cpu|wall|both, seconds=1 to 600
 *     kinds, period, upload, interval    value=, in the words of shared/segment/commands.h
 *     stacks, on, off, toggle            nothing
 *
 * Callers   the gateway's thread, for requests that the endpoint's guard has let pass.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_COMMANDS_H
#define CPROF_WEB_COMMANDS_H

#include "request.h"
#include "site.h"

/* Carries out the command and answers with one sentence: 200, it is so; 202, it has begun; 400,
 * there is no such command; 409, not in this state. */
void cprof_web_command(const struct cprof_web_site *site, struct cprof_web_request *request,
                       const char *name);

#endif
