/* recent.c - see recent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recent.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"

/* Oldest first. */
struct cprof_recent {
    struct cprof_sink sink;
    struct cprof_recent_profile profiles[CPROF_RECENT_MAX];
    size_t count;
    size_t byte_count;
    uint64_t last_id;
    bool warned_of_size;
};

static void drop_oldest(struct cprof_recent *recent)
{
    recent->byte_count -= recent->profiles[0].byte_count;
    free(recent->profiles[0].bytes);
    recent->count--;
    memmove(recent->profiles, recent->profiles + 1, recent->count * sizeof(recent->profiles[0]));
}

static void warn_of_size(struct cprof_recent *recent, size_t byte_count)
{
    if (!recent->warned_of_size) {
        recent->warned_of_size = true;
        cprof_log(CPROF_LOG_WARNING,
                  "a profile of %zu KiB is too large for those that are kept in memory (%u KiB): "
                  "the endpoint does not list it",
                  byte_count / 1024, CPROF_RECENT_BYTES_MAX / 1024);
    }
}

static bool keep(struct cprof_recent *recent, const struct cprof_profile *profile,
                 enum cprof_window_source source)
{
    bool fits = profile->byte_count > 0 && profile->byte_count <= CPROF_RECENT_BYTES_MAX;
    uint8_t *copy = fits ? malloc(profile->byte_count) : NULL;

    if (profile->byte_count > CPROF_RECENT_BYTES_MAX) {
        warn_of_size(recent, profile->byte_count);
    }
    if (!copy) {
        return false;
    }
    memcpy(copy, profile->bytes, profile->byte_count);
    while (recent->count == CPROF_RECENT_MAX ||
           recent->byte_count + profile->byte_count > CPROF_RECENT_BYTES_MAX) {
        drop_oldest(recent);
    }
    recent->profiles[recent->count++] = (struct cprof_recent_profile){
        .id = ++recent->last_id,
        .kind = profile->table.kind,
        .source = source,
        .start_unix_ns = profile->table.time_unix_ns,
        .duration_ns = profile->table.duration_ns,
        .bytes = copy,
        .byte_count = profile->byte_count,
    };
    recent->byte_count += profile->byte_count;
    return true;
}

static enum cprof_delivery deliver(struct cprof_sink *base, struct cprof_profile *profile,
                                   const struct cprof_why *why)
{
    struct cprof_error error;

    return cprof_profile_pack(profile, &error) &&
                   keep((struct cprof_recent *)base, profile, why->source)
               ? CPROF_DELIVERED
               : CPROF_DROPPED;
}

static void destroy(struct cprof_sink *base)
{
    struct cprof_recent *recent = (struct cprof_recent *)base;

    while (recent->count > 0) {
        drop_oldest(recent);
    }
    free(recent);
}

struct cprof_recent *cprof_recent_create(void)
{
    struct cprof_recent *recent = calloc(1, sizeof(*recent));

    if (recent) {
        recent->sink = (struct cprof_sink){
            .reasons = CPROF_REASON_WINDOW | CPROF_REASON_SLOW | CPROF_REASON_HARAKIRI,
            .deliver = deliver,
            .destroy = destroy,
        };
    }
    return recent;
}

struct cprof_sink *cprof_recent_sink(struct cprof_recent *recent)
{
    return &recent->sink;
}

size_t cprof_recent_count(const struct cprof_recent *recent)
{
    return recent->count;
}

const struct cprof_recent_profile *cprof_recent_at(const struct cprof_recent *recent, size_t place)
{
    return place < recent->count ? &recent->profiles[recent->count - 1 - place] : NULL;
}

const struct cprof_recent_profile *cprof_recent_find(const struct cprof_recent *recent, uint64_t id)
{
    for (size_t i = 0; i < recent->count; i++) {
        if (recent->profiles[i].id == id) {
            return &recent->profiles[i];
        }
    }
    return NULL;
}
