/* start_answer.h - what becomes of an app's call of googlecloudprofiler.start().
 *
 * Open      until cprof_start_answer_seal, which comes with the end of loading in the master: the
 *           first call that is accepted gives the options that the configuration leaves open. What
 *           the configuration gives, holds. The values go through the options' own functions.
 * Sealed    from then on, in workers and mules, and for every call after the first: values are
 *           compared, and what differs is one warning for the instance.
 * Checks    are the same in both states: those of the options, with their messages. What only the
 *           network can tell is the gateway's to report.
 * Secrets   a value of service_account_json_file is never shown: it may be a key by mistake.
 * Callers   the answer: any thread of the app's in any process. The rest: the master, before the
 *           first fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_START_ANSWER_H
#define CPROF_START_ANSWER_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../ground/start_call.h"

/* False, with a sentence for the caller: nothing was taken. */
bool cprof_start_answer(const struct cprof_start_call *call,
                        struct cprof_error *error) CPROF_MUST_USE;

/* Nothing is taken any more. Returns once a call that takes in another thread is over. */
void cprof_start_answer_seal(void);

/* One sentence of what was taken and from where; "" if nothing was. After the seal. */
const char *cprof_start_answer_taken(void);

/* Whether the path of the credentials is the call's, which has checked it. After the seal. */
bool cprof_start_answer_gave_credentials(void);

#endif
