/* command_form.h - commands that come by HTTP: POST /actions/VERB with a form.
 *
 *     profile    kind=cpu|wall|both, seconds=1 to 600
 *     kinds, period, upload, interval    value=, in the words of shared/segment/commands.h
 *     stacks, on, off, toggle            nothing
 *
 * Callers   the gateway's thread, for requests that the endpoint's guard has let pass.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COMMAND_FORM_H
#define CPROF_COMMAND_FORM_H

#include "../control/actions.h"
#include "request.h"

/* Carries out the command and answers with one sentence: 200, it is so; 202, it has begun; 400,
 * there is no such command; 409, not in this state. */
void cprof_command_form_act(struct cprof_actions *actions, const char *verb,
                            struct cprof_web_request *request);

#endif
