/* check.h - what will work on this machine as this uid: `uwsgi ... --cloudprofiler-check`.
 *
 * Callers   a process that only checks, which ends with the result. The upload is checked by the
 *           gateway program, as a child.
 * Effects   none: a server with the same configuration may run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PLUGIN_CHECK_H
#define CPROF_PLUGIN_CHECK_H

#include <stdbool.h>
#include <sys/types.h>

#include "../shared/base/config.h"
#include "../shared/base/error.h"

/* What the caller found out about its company, which is the uWSGI that the plugin was built for.
 * python_trouble: "" is none. */
struct cprof_check_company {
    const char *python_trouble;
    const char *python_version;
    bool is_disabled; /* by option or environment */
};

/* Says each finding in the log, whatever its level is. start_upload_check: starts the gateway's own
 * check as a child and returns its pid, -1 with the error. False: profiling would not work as
 * configured. */
bool cprof_check(const struct cprof_check_company *company, const struct cprof_config *config,
                 pid_t (*start_upload_check)(struct cprof_error *error));

#endif
