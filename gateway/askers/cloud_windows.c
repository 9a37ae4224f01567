/* cloud_windows.c - see cloud_windows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cloud_windows.h"

#include <stdlib.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"

struct cprof_cloud_windows {
    struct cprof_sink sink; /* the uploader's queue */
    struct cprof_sinks *sinks;
    const struct cprof_config *config;
    struct cprof_windows *windows;
    struct cprof_uploader *uploader;
};

/* `profile` NULL: the window is lost, or no bytes could be made. */
static void give(const struct cprof_cloud_windows *cloud, const struct cprof_profile *profile,
                 const struct cprof_why *why)
{
    const uint8_t *bytes = profile ? profile->bytes : NULL;
    size_t byte_count = profile ? profile->byte_count : 0;

    if (why->may_be_delivered) {
        cprof_uploader_adopt(cloud->uploader, why->handle, why->ticket, why->ticket_bytes, bytes,
                             byte_count);
    } else {
        cprof_uploader_window_finished(cloud->uploader, why->handle, bytes, byte_count);
    }
}

static enum cprof_delivery deliver(struct cprof_sink *sink, struct cprof_profile *profile,
                                   const struct cprof_why *why)
{
    const struct cprof_cloud_windows *cloud = (struct cprof_cloud_windows *)sink;
    struct cprof_error error;
    bool ok = cprof_profile_pack(profile, &error);

    if (!ok) {
        cprof_log(CPROF_LOG_WARNING, "Cloud Profiler: %s", error.text);
    }
    give(cloud, ok ? profile : NULL, why);
    return ok ? CPROF_QUEUED : CPROF_DROPPED;
}

static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_cloud_windows *cloud = context;
    const struct cprof_why why = {
        .reason = CPROF_REASON_CLOUD,
        .source = CPROF_SOURCE_CLOUD,
        .may_be_delivered = result->adopted,
        .handle = result->handle,
        .ticket = result->ticket,
        .ticket_bytes = result->ticket_bytes,
    };

    if (result->harvest) {
        cprof_sinks_deliver(cloud->sinks, &result->harvest->profiles[0], &why);
    } else {
        cprof_sink_count_lost(&cloud->sink);
        give(cloud, NULL, &why);
    }
}

/* A session whose JSON is too long for a ticket dies with this gateway; no harm is done. */
static int open_window(void *context, const struct cprof_upload_order *order)
{
    struct cprof_cloud_windows *cloud = context;
    bool fits = order->ticket_bytes <= CPROF_TICKET_BYTES_MAX;
    const struct cprof_window_order window = {
        .kinds = (uint32_t)order->kind,
        .source = CPROF_SOURCE_CLOUD,
        .period_ns = cloud->config->period_ms * NS_PER_MS,
        .duration_ns = order->duration_ns,
        .latest_start_ns = CPROF_LOOP_NEVER,
        .ticket = fits ? order->ticket : NULL,
        .ticket_bytes = fits ? order->ticket_bytes : 0,
        .finished = finished,
        .context = cloud,
    };
    struct cprof_error error;
    int handle = cprof_windows_order(cloud->windows, &window, &error);

    if (handle < 0) {
        cprof_log(CPROF_LOG_INFO, "Cloud Profiler: no window now: %s", error.text);
    }
    return handle;
}

static bool expects_more(void *context)
{
    const struct cprof_cloud_windows *cloud = context;

    return cprof_windows_count(cloud->windows, CPROF_SOURCE_CLOUD) > 0;
}

static void release_window(void *context, int handle)
{
    const struct cprof_cloud_windows *cloud = context;

    cprof_windows_release(cloud->windows, handle);
}

static void count(void *context, bool sent, size_t byte_count)
{
    struct cprof_cloud_windows *cloud = context;

    cprof_sink_count(&cloud->sink, sent, byte_count);
}

struct cprof_cloud_windows *
cprof_cloud_windows_create(const struct cprof_config *config, struct cprof_sinks *sinks,
                           struct cprof_control *control, const struct cprof_sink_counts *before,
                           struct cprof_windows *windows, struct cprof_loop *loop,
                           struct cprof_error *error)
{
    struct cprof_cloud_windows *cloud = calloc(1, sizeof(*cloud));
    const struct cprof_upload_host host = {
        .context = cloud,
        .open = open_window,
        .expects_more = expects_more,
        .release = release_window,
        .count = count,
    };

    if (!cloud) {
        cprof_fail(error, "no memory for the upload to Cloud Profiler");
        return NULL;
    }
    *cloud = (struct cprof_cloud_windows){
        .sink = {.reasons = CPROF_REASON_CLOUD,
                 .deliver = deliver,
                 .control = control,
                 .counts = *before},
        .sinks = sinks,
        .config = config,
        .windows = windows,
    };
    if (!cprof_sinks_add(sinks, &cloud->sink)) {
        cprof_fail(error, "there is no place among the sinks");
        free(cloud);
        return NULL;
    }
    cloud->uploader = cprof_uploader_create(loop, config, &host, error);
    if (!cloud->uploader) {
        cprof_cloud_windows_destroy(cloud);
        return NULL;
    }
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, finished, cloud);
    return cloud;
}

void cprof_cloud_windows_give_up(struct cprof_cloud_windows *cloud)
{
    for (unsigned i = cprof_uploader_queued(cloud->uploader); i > 0; i--) {
        cprof_sink_count(&cloud->sink, false, 0);
    }
}

void cprof_cloud_windows_destroy(struct cprof_cloud_windows *cloud)
{
    if (cloud) {
        cprof_sinks_remove(cloud->sinks, &cloud->sink);
        cprof_uploader_destroy(cloud->uploader);
        free(cloud);
    }
}

const struct cprof_uploader *cprof_cloud_windows_uploader(const struct cprof_cloud_windows *cloud)
{
    return cloud->uploader;
}

const struct cprof_sink_counts *cprof_cloud_windows_counts(const struct cprof_cloud_windows *cloud)
{
    return &cloud->sink.counts;
}
