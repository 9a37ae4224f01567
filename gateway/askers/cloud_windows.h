/* cloud_windows.h - joins the uploader of Cloud Profiler with windows and sinks.
 *
 * Callers   the gateway's thread, on the loop.
 * Why       gateway/cloud knows no shared memory and gateway/windows/windows.h no API.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_WINDOWS_H
#define CPROF_CLOUD_WINDOWS_H

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../cloud/uploader.h"
#include "../loop/loop.h"
#include "../sinks/sink.h"
#include "../windows/windows.h"

struct cprof_cloud_windows;

/* Starts an uploader whose windows are ordered from `windows`, puts its queue among the sinks,
 * where it counts in `control` and on from `before`, and adopts those of the cloud that a former
 * gateway left: before cprof_windows_begin. Everything is borrowed. NULL with the error. */
struct cprof_cloud_windows *
cprof_cloud_windows_create(const struct cprof_config *config, struct cprof_sinks *sinks,
                           struct cprof_control *control, const struct cprof_sink_counts *before,
                           struct cprof_windows *windows, struct cprof_loop *loop,
                           struct cprof_error *error);

/* What waits to be sent is dropped, and counted: before the end of uploads that are switched off.
 * At the gateway's own end nothing is: the next one finds the windows and sends them. */
void cprof_cloud_windows_give_up(struct cprof_cloud_windows *cloud);

/* Before the windows end. NULL does nothing. */
void cprof_cloud_windows_destroy(struct cprof_cloud_windows *cloud);

/* For what is shown of them. */
const struct cprof_uploader *cprof_cloud_windows_uploader(const struct cprof_cloud_windows *cloud);
const struct cprof_sink_counts *cprof_cloud_windows_counts(const struct cprof_cloud_windows *cloud);

#endif
