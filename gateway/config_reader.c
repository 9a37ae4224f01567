/* config_reader.c - see config_reader.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config_reader.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/base/log.h"
#include "../shared/segment/layout.h"

#define INTERVAL_S_MAX     (366u * 24u * 3600u)
#define BACKOFF_S_MAX      3600u
#define SLOW_REQUEST_S_MAX 3600u
#define DURATION_S_MAX     3600u /* CPROF_WINDOW_NS_MAX */

#define MAX_OVERHEAD_HUNDREDTHS_MAX 5000u

static const int config_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

static bool is_terminated(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

static bool root_tags_are_terminated(const struct cprof_config *config)
{
    for (uint32_t i = 0; i < CPROF_ROOT_TAGS_MAX; i++) {
        if (!is_terminated(config->root_tags[i], sizeof(config->root_tags[i]))) {
            return false;
        }
    }
    return true;
}

static bool texts_are_terminated(const struct cprof_config *config)
{
    return is_terminated(config->service, sizeof(config->service)) &&
           is_terminated(config->service_version, sizeof(config->service_version)) &&
           is_terminated(config->instance, sizeof(config->instance)) &&
           is_terminated(config->instance_label, sizeof(config->instance_label)) &&
           is_terminated(config->project_id, sizeof(config->project_id)) &&
           is_terminated(config->zone, sizeof(config->zone)) &&
           is_terminated(config->credentials, sizeof(config->credentials)) &&
           is_terminated(config->api_endpoint, sizeof(config->api_endpoint)) &&
           is_terminated(config->ca_file, sizeof(config->ca_file)) &&
           is_terminated(config->output_dir, sizeof(config->output_dir)) &&
           is_terminated(config->http_address, sizeof(config->http_address)) &&
           is_terminated(config->http_token, sizeof(config->http_token)) &&
           is_terminated(config->http_token_file, sizeof(config->http_token_file)) &&
           is_terminated(config->web_dir, sizeof(config->web_dir)) &&
           is_terminated(config->uwsgi_version, sizeof(config->uwsgi_version)) &&
           is_terminated(config->python_version, sizeof(config->python_version)) &&
           root_tags_are_terminated(config);
}

static bool check(bool sound, const char *name, uint64_t value, struct cprof_error *error)
{
    return sound ? true
                 : cprof_fail_for_good(error, "configuration: %s is out of bounds (%llu)", name,
                                       (unsigned long long)value);
}

static bool numbers_are_sound(const struct cprof_config *config, struct cprof_error *error)
{
    uint32_t interval_s = config->output_interval_s, duration_s = config->output_duration_s;

    return check(config->period_ms >= 1 && config->period_ms <= 1000, "period_ms",
                 config->period_ms, error) &&
           check(config->max_depth >= 1 && config->max_depth <= CPROF_DEPTH_MAX, "max_depth",
                 config->max_depth, error) &&
           check(config->verbose <= CPROF_LOG_DEBUG, "verbose", config->verbose, error) &&
           check(interval_s >= 1 && interval_s <= INTERVAL_S_MAX, "output_interval_s", interval_s,
                 error) &&
           check(duration_s >= 1 && duration_s <= DURATION_S_MAX && duration_s <= interval_s,
                 "output_duration_s", duration_s, error) &&
           check(config->disable_cpu <= 1, "disable_cpu", config->disable_cpu, error) &&
           check(config->disable_wall <= 1 && !(config->disable_cpu && config->disable_wall),
                 "disable_wall", config->disable_wall, error) &&
           check(config->upload <= 1, "upload", config->upload, error) &&
           check(config->disable_metadata <= 1, "disable_metadata", config->disable_metadata,
                 error) &&
           check(config->initial_backoff_s >= 1 && config->initial_backoff_s <= BACKOFF_S_MAX,
                 "initial_backoff_s", config->initial_backoff_s, error) &&
           check(config->wall_idle <= 1, "wall_idle", config->wall_idle, error) &&
           check(config->worker_frame <= 1, "worker_frame", config->worker_frame, error) &&
           check(config->slow_request_s <= SLOW_REQUEST_S_MAX, "slow_request_s",
                 config->slow_request_s, error) &&
           check(config->http_allow_remote <= 1, "http_allow_remote", config->http_allow_remote,
                 error) &&
           check(config->native_leaf <= 1, "native_leaf", config->native_leaf, error) &&
           check(config->max_overhead_hundredths <= MAX_OVERHEAD_HUNDREDTHS_MAX,
                 "max_overhead_hundredths", config->max_overhead_hundredths, error) &&
           check(config->root_tag_count <= CPROF_ROOT_TAGS_MAX, "root_tag_count",
                 config->root_tag_count, error) &&
           check(config->slot_count >= 1 && config->slot_count <= CPROF_SLOTS_MAX, "slot_count",
                 config->slot_count, error) &&
           check(config->log_bytes >= CPROF_LOG_BYTES_MIN &&
                     config->log_bytes <= CPROF_LOG_BYTES_MAX,
                 "log_bytes", config->log_bytes, error);
}

bool cprof_config_read(struct cprof_config *config, int fd, struct cprof_error *error)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || (fcntl(fd, F_GET_SEALS) & config_seals) != config_seals) {
        return cprof_fail_for_good(error,
                                   "configuration: descriptor %d is not a sealed memory file", fd);
    }
    if (status.st_size != (off_t)sizeof(*config) ||
        pread(fd, config, sizeof(*config), 0) != (ssize_t)sizeof(*config) ||
        config->magic != CPROF_CONFIG_MAGIC || config->version != CPROF_CONFIG_VERSION ||
        config->config_bytes != sizeof(*config)) {
        return cprof_fail_for_good(
            error, "configuration: the plugin is of another build than this program (%s)",
            CPROF_VERSION);
    }
    if (!texts_are_terminated(config)) {
        return cprof_fail_for_good(error, "configuration: a text has no end");
    }
    return numbers_are_sound(config, error);
}
