/* config_reader.c - see config_reader.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config_reader.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/base/log.h"
#include "../shared/segment/layout.h"

#define NUMBER(field) #field, offsetof(struct cprof_config, field)

static const struct {
    const char *name;
    size_t offset;
    uint32_t least, most;
} bounds[] = {
    {NUMBER(period_ms), 1, CPROF_PERIOD_MS_MAX},
    {NUMBER(set_period_ms), 1, CPROF_PERIOD_MS_MAX},
    {NUMBER(max_depth), 1, CPROF_DEPTH_MAX},
    {NUMBER(verbose), 0, CPROF_LOG_DEBUG},
    {NUMBER(output_interval_s), 1, CPROF_INTERVAL_S_MAX},
    {NUMBER(output_duration_s), 1, CPROF_PROFILE_SECONDS_MAX},
    {NUMBER(output_keep), 0, CPROF_KEEP_MAX},
    {NUMBER(tags), 0, CPROF_TAGS_ALL},
    {NUMBER(path_segments), 0, CPROF_PATH_SEGMENTS_MAX},
    {NUMBER(root_tag_count), 0, CPROF_ROOT_TAGS_MAX},
    {NUMBER(disable_cpu), 0, 1},
    {NUMBER(disable_wall), 0, 1},
    {NUMBER(upload), 0, 1},
    {NUMBER(disable_metadata), 0, 1},
    {NUMBER(initial_backoff_s), 1, CPROF_BACKOFF_S_MAX},
    {NUMBER(wall_idle), 0, 1},
    {NUMBER(slow_request_s), 0, CPROF_SLOW_REQUEST_S_MAX},
    {NUMBER(native_leaf), 0, 1},
    {NUMBER(max_overhead_hundredths), 0, CPROF_OVERHEAD_MAX},
    {NUMBER(gateway_memory_mib), CPROF_GATEWAY_MIB_MIN, CPROF_GATEWAY_MIB_MAX},
    {NUMBER(max_samples), 0, CPROF_MAX_SAMPLES_MAX},
    {NUMBER(http_allow_remote), 0, 1},
    {NUMBER(slot_count), 1, CPROF_SLOTS_MAX},
};

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
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        uint32_t number;

        memcpy(&number, (const char *)config + bounds[i].offset, sizeof(number));
        if (!check(number >= bounds[i].least && number <= bounds[i].most, bounds[i].name, number,
                   error)) {
            return false;
        }
    }
    return check(config->output_duration_s <= config->output_interval_s, "output_duration_s",
                 config->output_duration_s, error) &&
           check(cprof_config_kinds(config) != 0, "disable_wall", config->disable_wall, error) &&
           check(config->path_segments > 0 || !(config->tags & CPROF_TAG_PATH), "path_segments", 0,
                 error) &&
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
