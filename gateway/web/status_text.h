/* status_text.h - the status as JSON (web/README.md says which fields) and as Prometheus' text.
 *
 * Callers   the gateway's thread.
 * Memory    texts are malloc'd and the caller's; NULL without memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_STATUS_TEXT_H
#define CPROF_WEB_STATUS_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../control/command_runner.h"
#include "../status/status.h"

/* next_profile_unix_ns is when the schedule's next window ends; 0: there is none. */
char *cprof_status_as_json(const struct cprof_status_report *report,
                           const struct cprof_config *config, const struct cprof_settings *settings,
                           uint64_t next_profile_unix_ns) CPROF_MUST_USE;

/* Names are those of segment/figures.h and of uWSGI's metrics, with "cloudprofiler_" in front. */
char *cprof_status_as_metrics(const struct cprof_status_report *report,
                              const struct cprof_config *config) CPROF_MUST_USE;

/* ["cpu", "wall"]; "schedule", "cloud" or "demand". */
json_t *cprof_kinds_as_json(uint32_t kinds);
const char *cprof_source_name(uint32_t source);

#endif
