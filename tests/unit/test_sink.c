/* test_sink.c - see gateway/sinks/sink.h: what a new sink needs, and that the list counts for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/sinks/sink.h"

#include <stdlib.h>
#include <string.h>

#include "expect.h"

/* A sink as somebody would add it: it sums the time of all windows, and has room for two. */

struct sum_sink {
    struct cprof_sink sink;
    uint64_t profiles, total_ns;
};

static enum cprof_delivery add_up(struct cprof_sink *base, struct cprof_profile *profile,
                                  const struct cprof_why *why)
{
    struct sum_sink *sum = (struct sum_sink *)base;

    (void)why;
    if (sum->profiles == 2) {
        return CPROF_DROPPED;
    }
    sum->profiles++;
    sum->total_ns += cprof_table_total_ns(&profile->table);
    return CPROF_DELIVERED;
}

static void forget(struct cprof_sink *sink)
{
    free(sink);
}

static struct cprof_sink *sum_sink_create(void)
{
    struct sum_sink *sum = calloc(1, sizeof(*sum));

    if (sum) {
        sum->sink = (struct cprof_sink){
            .reasons = CPROF_REASON_WINDOW, .deliver = add_up, .destroy = forget};
    }
    return sum ? &sum->sink : NULL;
}

/* One that sends what it is given later. */

static struct cprof_profile *packed_by_queue;

static enum cprof_delivery take_bytes(struct cprof_sink *sink, struct cprof_profile *profile,
                                      const struct cprof_why *why)
{
    struct cprof_error error;

    (void)sink;
    EXPECT(why->reason == CPROF_REASON_CLOUD || why->reason == CPROF_REASON_WINDOW);
    EXPECT(cprof_profile_pack(profile, &error));
    packed_by_queue = profile;
    return CPROF_QUEUED;
}

static struct cprof_control control;
static struct cprof_sink queue;

static void deliver(const struct cprof_sinks *sinks, enum cprof_reason reason, uint64_t value_ns)
{
    const struct cprof_why why = {.reason = reason};
    const struct cprof_sample_key key = {.depth = 0};
    struct cprof_profile profile;

    cprof_profile_init(&profile);
    (void)cprof_table_add_sample(&profile.table, &key, 1, value_ns);
    cprof_sinks_deliver(sinks, &profile, &why);
    cprof_profile_reset(&profile);
}

static void begin_test(struct cprof_sinks *sinks)
{
    memset(&control, 0, sizeof(control));
    *sinks = (struct cprof_sinks){.count = 0};
    queue = (struct cprof_sink){.reasons = CPROF_REASON_CLOUD | CPROF_REASON_WINDOW,
                                .deliver = take_bytes,
                                .control = &control};
    packed_by_queue = NULL;
}

static void a_new_sink_is_added_by_one_line_and_gets_what_it_asks_for(void)
{
    struct cprof_sinks sinks;
    const struct sum_sink *sum;

    begin_test(&sinks);
    EXPECT(cprof_sinks_add(&sinks, sum_sink_create()));
    sum = (const struct sum_sink *)sinks.list[0];
    deliver(&sinks, CPROF_REASON_WINDOW, 5);
    deliver(&sinks, CPROF_REASON_SCHEDULE, 100);
    deliver(&sinks, CPROF_REASON_WINDOW, 7);
    EXPECT(sum->total_ns == 12 && sum->sink.counts.delivered == 2);
    EXPECT(sum->sink.counts.dropped == 0 && !sum->sink.counts.is_failing);

    deliver(&sinks, CPROF_REASON_WINDOW, 9);
    EXPECT(sum->total_ns == 12 && sum->sink.counts.dropped == 1 && sum->sink.counts.is_failing);
    EXPECT(control.profiles_written == 0 && control.profiles_failed == 0);
    cprof_sinks_destroy(&sinks);
    EXPECT(sinks.count == 0);
}

static void what_is_queued_is_counted_once_its_end_is_known(void)
{
    struct cprof_sinks sinks;

    begin_test(&sinks);
    EXPECT(cprof_sinks_add(&sinks, &queue));
    deliver(&sinks, CPROF_REASON_CLOUD, 1);
    EXPECT(packed_by_queue && queue.counts.delivered == 0 && queue.counts.dropped == 0);
    cprof_sink_count(&queue, true, 33);
    EXPECT(queue.counts.delivered == 1 && queue.counts.bytes == 33 && queue.counts.last_unix_ns);
    cprof_sink_count(&queue, false, 44);
    EXPECT(queue.counts.dropped == 1 && queue.counts.bytes == 33);
    EXPECT(control.profiles_written == 1 && control.profiles_failed == 1);
    cprof_sinks_remove(&sinks, &queue);
}

/* One that looks at the file: it must find the same. */
static enum cprof_delivery compare_bytes(struct cprof_sink *sink, struct cprof_profile *profile,
                                         const struct cprof_why *why)
{
    const uint8_t *before = profile->bytes;
    struct cprof_error error;

    (void)sink;
    (void)why;
    EXPECT(before && cprof_profile_pack(profile, &error) && profile->bytes == before);
    return CPROF_DELIVERED;
}

static void a_profile_is_packed_once_for_all_who_want_its_bytes(void)
{
    struct cprof_sink second = {.reasons = CPROF_REASON_WINDOW, .deliver = compare_bytes};
    struct cprof_sinks sinks;

    begin_test(&sinks);
    EXPECT(cprof_sinks_add(&sinks, &queue) && cprof_sinks_add(&sinks, &second));
    deliver(&sinks, CPROF_REASON_WINDOW, 1);
    EXPECT(second.counts.delivered == 1);
}

static void a_sink_that_is_removed_gets_nothing_more_and_its_place_is_free(void)
{
    struct cprof_sink others[CPROF_SINKS_MAX];
    struct cprof_sinks sinks;

    begin_test(&sinks);
    for (unsigned i = 0; i < CPROF_SINKS_MAX; i++) {
        others[i] = (struct cprof_sink){.reasons = 0};
        EXPECT(cprof_sinks_add(&sinks, &others[i]));
    }
    EXPECT(!cprof_sinks_add(&sinks, &queue) && !cprof_sinks_add(&sinks, NULL));
    cprof_sinks_remove(&sinks, &others[3]);
    EXPECT(cprof_sinks_add(&sinks, &queue) && sinks.list[CPROF_SINKS_MAX - 1] == &queue);
    cprof_sinks_remove(&sinks, &queue);
    deliver(&sinks, CPROF_REASON_CLOUD, 1);
    EXPECT(!packed_by_queue);
}

int main(void)
{
    RUN(a_new_sink_is_added_by_one_line_and_gets_what_it_asks_for);
    RUN(what_is_queued_is_counted_once_its_end_is_known);
    RUN(a_profile_is_packed_once_for_all_who_want_its_bytes);
    RUN(a_sink_that_is_removed_gets_nothing_more_and_its_place_is_free);
    return 0;
}
