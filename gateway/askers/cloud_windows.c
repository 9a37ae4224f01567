/* cloud_windows.c - see cloud_windows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cloud_windows.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "../../shared/base/log.h"

#define NS_PER_MS UINT64_C(1000000)

struct cprof_cloud_windows {
    const struct cprof_config *config;
    struct cprof_control *control;
    struct cprof_windows *windows;
    struct cprof_uploader *uploader;
};

/* The window's one profile, taken out of the harvest; NULL: it is lost. */
static uint8_t *take_bytes(const struct cprof_window_result *result, size_t *byte_count)
{
    struct cprof_harvested *profile =
        result->harvest && result->harvest->count > 0 ? &result->harvest->profiles[0] : NULL;
    uint8_t *bytes = profile ? profile->bytes : NULL;

    *byte_count = profile ? profile->byte_count : 0;
    if (profile) {
        profile->bytes = NULL;
    }
    return bytes;
}

static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_cloud_windows *cloud = context;
    size_t byte_count;
    uint8_t *bytes = take_bytes(result, &byte_count);

    if (result->adopted) {
        cprof_uploader_adopt(cloud->uploader, result->handle, result->ticket, result->ticket_bytes,
                             bytes, byte_count);
    } else {
        cprof_uploader_window_finished(cloud->uploader, result->handle, bytes, byte_count);
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

static void count(void *context, bool sent)
{
    const struct cprof_cloud_windows *cloud = context;

    atomic_fetch_add(sent ? &cloud->control->profiles_written : &cloud->control->profiles_failed,
                     1);
}

struct cprof_cloud_windows *cprof_cloud_windows_create(const struct cprof_config *config,
                                                       struct cprof_control *control,
                                                       struct cprof_windows *windows,
                                                       struct cprof_loop *loop,
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
    *cloud = (struct cprof_cloud_windows){.config = config, .control = control, .windows = windows};
    cloud->uploader = cprof_uploader_create(loop, config, &host, error);
    if (!cloud->uploader) {
        free(cloud);
        return NULL;
    }
    cprof_windows_adopt(windows, CPROF_SOURCE_CLOUD, finished, cloud);
    return cloud;
}

void cprof_cloud_windows_destroy(struct cprof_cloud_windows *cloud)
{
    if (cloud) {
        cprof_uploader_destroy(cloud->uploader);
        free(cloud);
    }
}

const struct cprof_uploader *cprof_cloud_windows_uploader(const struct cprof_cloud_windows *cloud)
{
    return cloud->uploader;
}
