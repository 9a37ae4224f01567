/* directory.h - the sink that writes profiles as files into a local directory.
 *
 * Names     cpu-20261122T152345.123Z-SERVICE-INSTANCE-ID.pb.gz or wall-...; slow-... and
 *           harakiri-... with the worker, and what there is of them as text as .txt: output.h, as
 *           all else about the files.
 * Disk      may take as long as it likes, or hang: files are written by a side thread
 *           (loop/side_thread.h), from copies. What finds too much waiting there is dropped.
 * Trouble   one warning when writing begins to fail, one notice when it works again; one warning
 *           when too much waits.
 * Callers   the gateway's thread; cprof_directory_read_name the output's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DIRECTORY_SINK_H
#define CPROF_DIRECTORY_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "../loop/side_thread.h"
#include "output.h"
#include "sink.h"

/* Makes a sink for the directory of this configuration, which counts in `control`. All are borrowed
 * for the sink's life. `files` NULL: files are written at once. The side thread ends before the
 * sink does. NULL without memory. */
struct cprof_sink *cprof_directory_sink_create(const struct cprof_config *config,
                                               struct cprof_output *output,
                                               struct cprof_side_thread *files,
                                               struct cprof_control *control);

/* Has the output take its place (cprof_output_settle) by the side thread. */
void cprof_directory_begin(struct cprof_output *output, struct cprof_side_thread *files);

/* What the name of a profile says. */
struct cprof_directory_name {
    enum cprof_kind kind;
    uint64_t start_unix_ms;
};

/* Is this the name of a profile that a sink for this output writes? */
bool cprof_directory_read_name(struct cprof_directory_name *read, const struct cprof_output *output,
                               const char *name);

#endif
