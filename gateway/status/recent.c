/* recent.c - see recent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recent.h"

#include <stdlib.h>
#include <string.h>

/* Oldest first. */
struct cprof_recent {
    struct cprof_recent_profile profiles[CPROF_RECENT_MAX];
    uint8_t *owned[CPROF_RECENT_MAX]; /* their bytes */
    size_t count;
    size_t byte_count;
    uint64_t last_id;
};

struct cprof_recent *cprof_recent_create(void)
{
    return calloc(1, sizeof(struct cprof_recent));
}

static void drop_oldest(struct cprof_recent *recent)
{
    recent->byte_count -= recent->profiles[0].byte_count;
    free(recent->owned[0]);
    recent->count--;
    memmove(recent->profiles, recent->profiles + 1, recent->count * sizeof(recent->profiles[0]));
    memmove((void *)recent->owned, (void *)(recent->owned + 1),
            recent->count * sizeof(recent->owned[0]));
}

void cprof_recent_destroy(struct cprof_recent *recent)
{
    while (recent && recent->count > 0) {
        drop_oldest(recent);
    }
    free(recent);
}

uint64_t cprof_recent_add(struct cprof_recent *recent, const struct cprof_recent_profile *profile)
{
    uint8_t *copy;

    if (profile->byte_count == 0 || profile->byte_count > CPROF_RECENT_BYTES_MAX) {
        return 0;
    }
    copy = malloc(profile->byte_count);
    if (!copy) {
        return 0;
    }
    memcpy(copy, profile->bytes, profile->byte_count);
    while (recent->count == CPROF_RECENT_MAX ||
           recent->byte_count + profile->byte_count > CPROF_RECENT_BYTES_MAX) {
        drop_oldest(recent);
    }
    recent->profiles[recent->count] = *profile;
    recent->profiles[recent->count].id = ++recent->last_id;
    recent->profiles[recent->count].bytes = copy;
    recent->owned[recent->count] = copy;
    recent->byte_count += profile->byte_count;
    recent->count++;
    return recent->last_id;
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
