/* test_recent.c - see gateway/sinks/recent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/sinks/recent.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "expect.h"

/* The id of the profile that is kept; 0: it is not. */
static uint64_t add(struct cprof_recent *recent, size_t byte_count)
{
    const struct cprof_why why = {.reason = CPROF_REASON_WINDOW, .source = CPROF_SOURCE_DEMAND};
    const struct cprof_sinks sinks = {.list = {cprof_recent_sink(recent)}, .count = 1};
    uint64_t kept = sinks.list[0]->counts.delivered;
    struct cprof_profile profile;

    cprof_profile_init(&profile);
    profile.bytes = calloc(1, byte_count + 1);
    EXPECT(profile.bytes);
    profile.bytes[0] = (uint8_t)byte_count;
    profile.byte_count = byte_count;
    cprof_sinks_deliver(&sinks, &profile, &why);
    cprof_profile_reset(&profile);
    return sinks.list[0]->counts.delivered > kept ? cprof_recent_at(recent, 0)->id : 0;
}

static void end(struct cprof_recent *recent)
{
    struct cprof_sink *sink = cprof_recent_sink(recent);

    sink->destroy(sink);
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
    end(recent);
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
    end(recent);
}

static void bytes_are_bounded_together(void)
{
    struct cprof_recent *recent = cprof_recent_create();
    uint64_t first = add(recent, CPROF_RECENT_BYTES_MAX / 2);
    uint64_t second = add(recent, CPROF_RECENT_BYTES_MAX / 2);
    uint64_t third = add(recent, 1);

    EXPECT(cprof_recent_find(recent, first) == NULL);
    EXPECT(cprof_recent_find(recent, second) && cprof_recent_find(recent, third));
    EXPECT(add(recent, 0) == 0);
    EXPECT(cprof_recent_count(recent) == 2);
    end(recent);
}

static unsigned lines;

static void count_line(const char *line)
{
    EXPECT(strstr(line, "too large"));
    lines++;
}

static void one_that_is_too_large_is_not_kept_and_the_log_says_so_once(void)
{
    struct cprof_recent *recent = cprof_recent_create();

    cprof_log_setup(count_line, CPROF_LOG_WARNING);
    EXPECT(add(recent, CPROF_RECENT_BYTES_MAX) > 0 && lines == 0);
    EXPECT(add(recent, CPROF_RECENT_BYTES_MAX + 1) == 0 && lines == 1);
    EXPECT(add(recent, CPROF_RECENT_BYTES_MAX + 1) == 0 && lines == 1);
    EXPECT(cprof_recent_count(recent) == 1);
    end(recent);
}

int main(void)
{
    RUN(what_was_added_is_found_and_the_newest_comes_first);
    RUN(the_oldest_makes_room_for_the_next_one);
    RUN(bytes_are_bounded_together);
    RUN(one_that_is_too_large_is_not_kept_and_the_log_says_so_once);
    return 0;
}
