/* check.h - what will work of the upload on this machine: `cloudprofiler-gateway --check`, which
 * `uwsgi --cloudprofiler-check` runs.
 *
 * Finds project and credentials, gets a token, asks the endpoint for anything. What the account may
 * do there shows at the first profile only: nothing is created.
 *
 * Callers   a gateway program that only checks. Returns within a minute or so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CHECK_H
#define CPROF_CHECK_H

#include <stdbool.h>

#include "../shared/base/config.h"

/* Says each finding in the log, whatever its level is. False: profiles could not be uploaded. */
bool cprof_check_upload(const struct cprof_config *config);

#endif
