/* incidents.h - files about one worker at one moment, beside the profiles: a slow request, or the
 * stacks of a worker that uWSGI ended.
 *
 * Names     slow-20261122T152345.123Z-worker2.pb.gz; harakiri-20261122T152345.123Z-worker2.txt and
 *           .pb.gz. Instances that share a directory share these names.
 * Files     as those of directory.h. Of each sort and ending the newest output-keep are kept;
 *           temporaries that a killed gateway left are removed then, too.
 * Callers   watch.c. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_INCIDENTS_H
#define CPROF_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../plugin/base/config.h"
#include "../../plugin/base/error.h"

struct cprof_incident {
    const char *what;   /* "slow", "harakiri" */
    const char *ending; /* ".txt", ".pb.gz" */
    uint64_t time_unix_ns;
    uint32_t worker;
    const uint8_t *bytes;
    size_t byte_count;
};

/* Writes the file into config->output_dir; does nothing, and is true, where there is none. */
bool cprof_incident_write(const struct cprof_config *config, const struct cprof_incident *incident,
                          struct cprof_error *error) CPROF_MUST_USE;

#endif
