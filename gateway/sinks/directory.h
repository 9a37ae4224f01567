/* directory.h - the sink that writes profiles as files into a local directory.
 *
 * Names     cpu-20261122T152345.123Z-SERVICE-INSTANCE.pb.gz or wall-...: the profile's kind and
 *           its start in UTC; without a service "uwsgi". What a file name should not hold becomes
 *           '_'.
 * Files     appear whole: written under a temporary name (a dot in front, .tmp behind), synced,
 *           renamed; mode 0600; nothing that exists is followed or overwritten.
 * Removal   only regular files of exactly this pattern, with this service and instance: those
 *           beyond the newest `keep` of each kind, and temporaries that a killed gateway left.
 * Trouble   one warning when writing begins to fail, one notice when it works again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DIRECTORY_SINK_H
#define CPROF_DIRECTORY_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "../../plugin/base/config.h"
#include "sink.h"

/* Makes a sink for config->output_dir, which is opened anew for each profile, and removes stale
 * temporaries. The config is borrowed for the sink's life. NULL without memory. */
struct cprof_sink *cprof_directory_sink_create(const struct cprof_config *config);

/* What the name of a profile says. */
struct cprof_directory_name {
    enum cprof_kind kind;
    uint64_t start_unix_ms;
};

/* Is this the name of a profile that the sink of this configuration writes? */
bool cprof_directory_read_name(struct cprof_directory_name *read, const struct cprof_config *config,
                               const char *name);

#endif
