/* test_recent.c - see gateway/status/recent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/status/recent.h"

#include <stdlib.h>
#include <string.h>

#include "expect.h"

static uint64_t add(struct cprof_recent *recent, size_t byte_count)
{
    uint8_t *bytes = calloc(1, byte_count + 1);
    const struct cprof_recent_profile profile = {
        .kind = CPROF_KIND_CPU, .bytes = bytes, .byte_count = byte_count};
    uint64_t id;

    EXPECT(bytes);
    bytes[0] = (uint8_t)byte_count;
    id = cprof_recent_add(recent, &profile);
    free(bytes);
    return id;
}

static void what_was_added_is_found_and_the_newest_comes_first(void)
{
    struct cprof_recent *recent = cprof_recent_create();
    uint64_t first = add(recent, 3), second = add(recent, 5);

    EXPECT(first > 0 && second > first);
    EXPECT(cprof_recent_count(recent) == 2);
    EXPECT(cprof_recent_at(recent, 0)->id == second && cprof_recent_at(recent, 1)->id == first);
    EXPECT(cprof_recent_at(recent, 2) == NULL);
    EXPECT(cprof_recent_find(recent, first)->bytes[0] == 3);
    EXPECT(cprof_recent_find(recent, second + 1) == NULL);
    cprof_recent_destroy(recent);
}

static void the_oldest_makes_room_for_the_next_one(void)
{
    struct cprof_recent *recent = cprof_recent_create();
    uint64_t first = add(recent, 1), last = first;

    for (unsigned i = 0; i < CPROF_RECENT_MAX; i++) {
        last = add(recent, 1);
    }

    EXPECT(cprof_recent_count(recent) == CPROF_RECENT_MAX);
    EXPECT(cprof_recent_find(recent, first) == NULL);
    EXPECT(cprof_recent_find(recent, last) != NULL);
    cprof_recent_destroy(recent);
}

static void bytes_are_bounded_together(void)
{
    struct cprof_recent *recent = cprof_recent_create();
    uint64_t first = add(recent, CPROF_RECENT_BYTES_MAX / 2);
    uint64_t second = add(recent, CPROF_RECENT_BYTES_MAX / 2);
    uint64_t third = add(recent, 1);

    EXPECT(cprof_recent_find(recent, first) == NULL);
    EXPECT(cprof_recent_find(recent, second) && cprof_recent_find(recent, third));
    EXPECT(add(recent, CPROF_RECENT_BYTES_MAX + 1) == 0 && add(recent, 0) == 0);
    EXPECT(cprof_recent_count(recent) == 2);
    cprof_recent_destroy(recent);
}

int main(void)
{
    RUN(what_was_added_is_found_and_the_newest_comes_first);
    RUN(the_oldest_makes_room_for_the_next_one);
    RUN(bytes_are_bounded_together);
    return 0;
}
