/* test_merge.c - see gateway/profile/merge.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/merge.h"

#include <stdatomic.h>
#include <string.h>

#include "expect.h"
#include "fake_log.h"

#define EPOCH 1
#define MS    UINT64_C(1000000)

static struct cprof_segment segment;
static struct cprof_log_writer writer;
static struct cprof_table table;
static struct cprof_config config;

static void begin_test(uint32_t slot_count)
{
    memset(&config, 0, sizeof(config));
    config.tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE;
    fake_segment_open(&segment, slot_count, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    cprof_table_init(&table);
}

static void merge_kind(enum cprof_kind kind)
{
    struct cprof_window window = {
        .epoch = EPOCH,
        .kinds = CPROF_KINDS_ALL,
        .period_ns = 10 * MS,
        .start_ns = 1,
        .end_ns = 10000 * MS + 1,
        .start_unix_ns = UINT64_C(1700000000123456789),
    };
    struct cprof_log_view view;
    struct cprof_merge merge;
    struct cprof_error error;

    cprof_merge_begin(&merge, &table, &config, &window, kind);
    for (uint32_t i = 0; i < segment.slot_count; i++) {
        EXPECT(cprof_log_read(&view, &segment, i, EPOCH, &error));
        EXPECT(cprof_merge_slot(&merge, &view, &error));
        cprof_log_view_reset(&view);
    }
    EXPECT(cprof_merge_end(&merge, &error));
}

static void merge_all(void)
{
    merge_kind(CPROF_KIND_CPU);
}

static void end_test(void)
{
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

static const char *frame_name(const struct cprof_sample *sample, uint32_t frame)
{
    uint32_t location = table.location_pool[sample->first_location + frame];

    EXPECT(frame < sample->depth);
    return cprof_table_text_at(&table, table.functions[table.locations[location].function].name);
}

/* The samples whose leaf has that name, added up. */
static uint64_t ns_of(const char *leaf)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < table.sample_count; i++) {
        if (strcmp(frame_name(&table.samples[i], 0), leaf) == 0) {
            sum_ns += table.samples[i].value_ns;
        }
    }
    return sum_ns;
}

static bool has_label(const struct cprof_sample *sample, const char *key, const char *value)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table.label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(&table, label->key), key) == 0) {
            return strcmp(cprof_table_text_at(&table, label->value), value) == 0;
        }
    }
    return false;
}

static bool has_comment(const char *text)
{
    for (size_t i = 0; i < table.comment_count; i++) {
        if (strcmp(cprof_table_text_at(&table, table.comments[i]), text) == 0) {
            return true;
        }
    }
    return false;
}

static void add_stack(const char *function, uint32_t tag_ref, uint64_t count, uint64_t weight_ns)
{
    struct cprof_frame frame = {
        .code_ref = fake_code(
            &writer, &(struct fake_code){.name = function, .file = "a.py", .first_line = 3}),
    };

    EXPECT(fake_stack(&writer, &(struct fake_stack){.frames = &frame,
                                                    .depth = 1,
                                                    .tag_ref = tag_ref,
                                                    .count = count,
                                                    .weight_ns = weight_ns}));
}

static void equal_stacks_of_two_code_entries_become_one_sample(void)
{
    begin_test(1);
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    add_stack("f", CPROF_NO_REF, 2, 20 * MS);
    fake_close(&segment, 0, EPOCH, 30 * MS);
    merge_all();
    EXPECT(table.sample_count == 1 && table.samples[0].count == 3);
    EXPECT(table.samples[0].value_ns == 30 * MS);
    EXPECT(table.time_unix_ns == UINT64_C(1700000000123456789));
    EXPECT(table.duration_ns == 10000 * MS && table.period_ns == 10 * MS);
    end_test();
}

static void each_worker_has_its_label(void)
{
    begin_test(2);
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    writer = fake_writer(&segment, 1, EPOCH, 1);
    cprof_segment_slot(&segment, 1)->kind = CPROF_SLOT_MULE;
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    merge_all();
    EXPECT(table.sample_count == 2);
    EXPECT(has_label(&table.samples[0], "worker", "1"));
    EXPECT(has_label(&table.samples[1], "worker", "mule 2"));
    end_test();
}

static void tags_become_labels_in_their_order(void)
{
    uint32_t tags;

    begin_test(1);
    tags = fake_tag(&writer, CPROF_NO_REF, "thread", "core0");
    tags = fake_tag(&writer, tags, "worker", "99");
    tags = fake_tag(&writer, tags, "path", "/pay");
    add_stack("f", tags, 1, 10 * MS);
    merge_all();
    EXPECT(table.samples[0].label_count == 3);
    EXPECT(has_label(&table.samples[0], "worker", "1"));
    EXPECT(has_label(&table.samples[0], "thread", "core0"));
    EXPECT(strcmp(cprof_table_text_at(&table, table.label_pool[2].value), "/pay") == 0);
    end_test();
}

static void tags_that_were_not_asked_for_are_left_out(void)
{
    begin_test(1);
    config.tags = 0;
    add_stack("f", fake_tag(&writer, CPROF_NO_REF, "thread", "core0"), 1, 10 * MS);
    merge_all();
    EXPECT(table.samples[0].label_count == 0);
    end_test();
}

static void names_and_lines_are_resolved(void)
{
    static const uint8_t lines[] = {0x04, 0x01, 0x02, 0x03};
    struct cprof_frame frames[3];
    const struct cprof_function *function;

    begin_test(1);
    frames[0].code_ref =
        fake_code(&writer, &(struct fake_code){.name = "pay",
                                               .qualified_name = "Shop.pay",
                                               .file = "shop.py",
                                               .first_line = 10,
                                               .line_format = CPROF_LINES_TABLE_310,
                                               .line_table = lines,
                                               .line_table_bytes = sizeof(lines)});
    frames[1] = frames[2] = frames[0];
    frames[0].byte_offset = 4;
    frames[1].byte_offset = 0;
    frames[2].byte_offset = -1;
    EXPECT(fake_stack(
        &writer, &(struct fake_stack){.frames = frames, .depth = 3, .count = 1, .weight_ns = MS}));
    merge_all();
    function = &table.functions[0];
    EXPECT(strcmp(cprof_table_text_at(&table, function->name), "Shop.pay") == 0);
    EXPECT(strcmp(cprof_table_text_at(&table, function->system_name), "pay") == 0);
    EXPECT(strcmp(cprof_table_text_at(&table, function->file), "shop.py") == 0);
    EXPECT(table.function_count == 1 && function->first_line == 10);
    EXPECT(table.locations[table.location_pool[0]].line == 14);
    EXPECT(table.locations[table.location_pool[1]].line == 11);
    EXPECT(table.locations[table.location_pool[2]].line == 10);
    end_test();
}

static void time_without_python_has_a_name(void)
{
    struct fake_stack stack = {.count = 1, .weight_ns = MS};

    begin_test(1);
    EXPECT(fake_stack(&writer, &stack));
    stack.flags = CPROF_STACK_NATIVE;
    EXPECT(fake_stack(&writer, &stack));
    atomic_store(&writer.slot->counters[CPROF_COUNTER_LOG_FULL], 2);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_LOG_FULL_NS], 3 * MS);
    merge_all();
    EXPECT(ns_of("[uWSGI]") == MS && ns_of("[native]") == MS && ns_of("[log full]") == 3 * MS);
    end_test();
}

static void roots_are_added_where_asked(void)
{
    struct cprof_frame frame;

    begin_test(1);
    config.root_tag_count = 1;
    (void)snprintf(config.root_tags[0], CPROF_ROOT_TAG_KEY_BYTES, "worker");
    config.tags &= ~(uint32_t)CPROF_TAG_WORKER;
    frame.code_ref = fake_code(&writer, &(struct fake_code){.name = "f", .file = "a.py"});
    frame.byte_offset = 0;
    EXPECT(fake_stack(&writer, &(struct fake_stack){.frames = &frame,
                                                    .depth = 1,
                                                    .flags = CPROF_STACK_TRUNCATED,
                                                    .count = 1,
                                                    .weight_ns = MS}));
    merge_all();
    EXPECT(table.samples[0].depth == 3);
    EXPECT(strcmp(frame_name(&table.samples[0], 1), "[truncated]") == 0);
    EXPECT(strcmp(frame_name(&table.samples[0], 2), "worker 1") == 0);
    end_test();
}

/* The first tag that was asked for is the outermost frame. A sample without it lacks the frame. */
static void tags_become_root_frames_where_asked(void)
{
    uint32_t tag_ref;

    begin_test(1);
    config.root_tag_count = 3;
    (void)snprintf(config.root_tags[0], CPROF_ROOT_TAG_KEY_BYTES, "worker");
    (void)snprintf(config.root_tags[1], CPROF_ROOT_TAG_KEY_BYTES, "route");
    (void)snprintf(config.root_tags[2], CPROF_ROOT_TAG_KEY_BYTES, "thread");
    tag_ref = fake_tag(&writer, CPROF_NO_REF, "thread", "core 1");
    add_stack("f", fake_tag(&writer, tag_ref, "route", "/users/:id"), 1, MS);
    add_stack("g", tag_ref, 1, MS);
    merge_all();
    EXPECT(table.sample_count == 2 && table.samples[0].depth == 4 && table.samples[1].depth == 3);
    EXPECT(strcmp(frame_name(&table.samples[0], 1), "thread: core 1") == 0);
    EXPECT(strcmp(frame_name(&table.samples[0], 2), "route: /users/:id") == 0);
    EXPECT(strcmp(frame_name(&table.samples[0], 3), "worker 1") == 0);
    EXPECT(strcmp(frame_name(&table.samples[1], 1), "thread: core 1") == 0);
    EXPECT(has_label(&table.samples[0], "route", "/users/:id"));
    end_test();
}

static void a_slot_that_closed_follows_its_clock_both_ways(void)
{
    begin_test(2);
    for (unsigned i = 0; i < 7; i++) {
        add_stack("f", CPROF_NO_REF, 1, 10 * MS + i);
    }
    fake_close(&segment, 0, EPOCH, 63 * MS);
    writer = fake_writer(&segment, 1, EPOCH, 1);
    add_stack("g", CPROF_NO_REF, 7, 70 * MS);
    fake_close(&segment, 1, EPOCH, 77 * MS + 1);
    merge_all();
    EXPECT(ns_of("f") == 63 * MS);
    EXPECT(ns_of("g") == 77 * MS + 1);
    EXPECT(cprof_table_total_ns(&table) == 140 * MS + 1);
    end_test();
}

static void a_clock_far_from_the_samples_is_followed_half_the_way(void)
{
    begin_test(2);
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    fake_close(&segment, 0, EPOCH, 50 * MS);
    writer = fake_writer(&segment, 1, EPOCH, 1);
    add_stack("g", CPROF_NO_REF, 1, 10 * MS);
    fake_close(&segment, 1, EPOCH, 1 * MS);
    merge_all();
    EXPECT(ns_of("f") == 20 * MS && ns_of("[unsampled]") == 30 * MS);
    EXPECT(ns_of("g") == 5 * MS);
    end_test();
}

static void a_killed_slot_keeps_its_samples_whatever_its_clock_says(void)
{
    begin_test(3);
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    fake_close(&segment, 0, 0, 8 * MS);
    writer = fake_writer(&segment, 1, EPOCH, 1);
    add_stack("g", CPROF_NO_REF, 1, 10 * MS);
    fake_close(&segment, 1, 0, 12 * MS);
    /* A killed process and its successor, which closed. */
    writer = fake_writer(&segment, 2, EPOCH, 1);
    add_stack("h", CPROF_NO_REF, 1, 10 * MS);
    writer = fake_writer(&segment, 2, EPOCH, 2);
    add_stack("h", CPROF_NO_REF, 1, 10 * MS);
    fake_close(&segment, 2, EPOCH, 10 * MS);
    merge_all();
    EXPECT(ns_of("f") == 10 * MS && ns_of("g") == 12 * MS && ns_of("h") == 20 * MS);
    end_test();
}

static void a_slot_without_samples_shows_its_clock(void)
{
    begin_test(1);
    fake_close(&segment, 0, EPOCH, 3 * MS);
    merge_all();
    EXPECT(table.sample_count == 1 && ns_of("[unsampled]") == 3 * MS);
    EXPECT(table.samples[0].count == 0);
    end_test();
}

/* The clock has 8 ms more than the samples: kernel time outside system calls. The timer saw 2 and
 * 6 ms of it in two functions, and no more in the third than was sampled there. */
static void time_that_only_the_clock_has_goes_where_the_timer_saw_it(void)
{
    struct cprof_frame frame;

    begin_test(1);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"f", "g", "h"};
        static const uint64_t timer_ms[] = {10, 2, 6};

        frame = (struct cprof_frame){
            .code_ref = fake_code(&writer, &(struct fake_code){.name = names[i], .file = "a"}),
        };
        EXPECT(fake_stack(&writer, &(struct fake_stack){.frames = &frame,
                                                        .depth = 1,
                                                        .tag_ref = CPROF_NO_REF,
                                                        .count = i == 0,
                                                        .weight_ns = i == 0 ? 10 * MS : 0,
                                                        .timer_weight_ns = timer_ms[i] * MS}));
    }
    fake_close(&segment, 0, EPOCH, 18 * MS);
    merge_all();
    EXPECT(ns_of("f") == 10 * MS && ns_of("g") == 2 * MS && ns_of("h") == 6 * MS);
    EXPECT(has_comment("kernel elsewhere nanoseconds: 8000000"));
    end_test();
}

static void a_clock_that_has_no_more_gives_the_other_ticks_nothing(void)
{
    struct cprof_frame frame;

    begin_test(1);
    frame = (struct cprof_frame){
        .code_ref = fake_code(&writer, &(struct fake_code){.name = "f", .file = "a"}),
    };
    EXPECT(fake_stack(&writer, &(struct fake_stack){.frames = &frame,
                                                    .depth = 1,
                                                    .tag_ref = CPROF_NO_REF,
                                                    .count = 1,
                                                    .weight_ns = 10 * MS,
                                                    .timer_weight_ns = 5 * MS}));
    fake_close(&segment, 0, EPOCH, 10 * MS);
    merge_all();
    EXPECT(ns_of("f") == 10 * MS && has_comment("kernel elsewhere nanoseconds: 0"));
    end_test();
}

static void impossible_numbers_are_left_out(void)
{
    begin_test(1);
    add_stack("f", CPROF_NO_REF, 1, 10 * MS);
    add_stack("g", CPROF_NO_REF, 1, UINT64_MAX);
    add_stack("h", CPROF_NO_REF, UINT64_MAX, MS);
    fake_close(&segment, 0, EPOCH, UINT64_MAX);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_LOG_FULL_NS], UINT64_MAX / 2);
    merge_all();
    EXPECT(cprof_table_total_ns(&table) == 10 * MS);
    EXPECT(has_comment("rejected records: 4"));
    end_test();
}

static void tags_without_room_are_counted_and_said(void)
{
    begin_test(1);
    EXPECT(fake_stack(&writer, &(struct fake_stack){.count = 1, .weight_ns = MS}));
    atomic_store(&writer.slot->counters[CPROF_COUNTER_TAG_OVERFLOWS], 2);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_TAGS_LOST], 3);
    merge_all();
    EXPECT(has_comment("tag overflows: 2 samples have the value [other] for a tag, of which a "
                       "process had more than 1,000 values, or too many combinations"));
    EXPECT(has_comment("tags lost: 3 samples lack a tag of a block, as a process had more than "
                       "65,536 combinations of tags"));
    end_test();
}

static void what_found_no_place_is_counted_and_said(void)
{
    begin_test(1);
    EXPECT(fake_stack(&writer, &(struct fake_stack){.count = 1, .weight_ns = MS}));
    atomic_store(&writer.slot->counters[CPROF_COUNTER_THREADS_LEFT_OUT], 488);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_GREENLETS_LEFT_OUT], 3);
    merge_all();
    EXPECT(has_comment("threads left out: 488 threads are not followed, as a process had more than "
                       "512 of the app: wall profiles lack them, and their CPU time stands as "
                       "[unsampled]"));
    EXPECT(has_comment("greenlets left out: 3 greenlets are not followed, as a process had more "
                       "than 4,096: wall profiles lack them while they wait"));
    EXPECT(!has_comment("tag scopes left out: 0 times tags of a block were not set, or the request "
                        "of a greenlet was not known, as a process had more than 8,192 contexts "
                        "with tags"));
    end_test();
}

static void comments_say_what_was_found(void)
{
    begin_test(1);
    (void)strcpy(config.uwsgi_version, "2.0.21");
    (void)strcpy(config.python_version, "3.11.2");
    add_stack("f", CPROF_NO_REF, 2, 20 * MS);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_MISSED + CPROF_MISS_ENTRY], 3);
    atomic_store(&writer.slot->counters[CPROF_COUNTER_TIMER_TICKS], 5);
    fake_close(&segment, 0, EPOCH, 21 * MS);
    merge_all();
    EXPECT(has_comment("server: uWSGI 2.0.21, CPython 3.11.2"));
    EXPECT(has_comment("timer raw nanoseconds: 20000000"));
    EXPECT(has_comment("cpu clock nanoseconds: 21000000"));
    EXPECT(has_comment("missed: missed_entry=3"));
    EXPECT(
        has_comment("worker 1: samples=2 timer_ticks=5 expected_timer_ticks=2 "
                    "timer_raw_ns=20000000 cpu_clock_ns=21000000 ticker_cpu_ns=0 handler_cpu_ns=0 "
                    "sampling_ns=0 "
                    "missed_entry=3 delivery_cpu_ns=0"));
    end_test();
}

int main(void)
{
    RUN(equal_stacks_of_two_code_entries_become_one_sample);
    RUN(each_worker_has_its_label);
    RUN(tags_become_labels_in_their_order);
    RUN(tags_that_were_not_asked_for_are_left_out);
    RUN(names_and_lines_are_resolved);
    RUN(time_without_python_has_a_name);
    RUN(roots_are_added_where_asked);
    RUN(tags_become_root_frames_where_asked);
    RUN(a_slot_that_closed_follows_its_clock_both_ways);
    RUN(a_clock_far_from_the_samples_is_followed_half_the_way);
    RUN(a_killed_slot_keeps_its_samples_whatever_its_clock_says);
    RUN(a_slot_without_samples_shows_its_clock);
    RUN(time_that_only_the_clock_has_goes_where_the_timer_saw_it);
    RUN(a_clock_that_has_no_more_gives_the_other_ticks_nothing);
    RUN(impossible_numbers_are_left_out);
    RUN(tags_without_room_are_counted_and_said);
    RUN(what_found_no_place_is_counted_and_said);
    RUN(comments_say_what_was_found);
    return 0;
}
