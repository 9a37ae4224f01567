/* test_bounded_profile.c - profiles that may not take more than a part of the gateway's memory: see
 * gateway/profile/merge.h, table.h, gateway/windows/harvest.h and snapshot.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/windows/harvest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/profile/merge.h"
#include "../../gateway/windows/memory_share.h"
#include "../../shared/segment/states.h"
#include "expect.h"
#include "fake_log.h"

#define EPOCH 1
#define MS    UINT64_C(1000000)

#define STACKS    1000u
#define DEPTH     20u
#define LOG_BYTES (UINT64_C(1) << 20)

static struct cprof_segment segment;
static struct cprof_config config;
static bool looks_found_waits;

static struct cprof_window window = {.epoch = EPOCH,
                                     .kinds = CPROF_KINDS_ALL,
                                     .period_ns = 10 * MS,
                                     .start_ns = 1,
                                     .end_ns = 10000 * MS + 1,
                                     .start_unix_ns = UINT64_C(1700000000123456789)};

/* A line for each code unit, two bytes. */
static uint8_t steps[2 * STACKS];

/* What looks found of waiting for a CPU: in stacks that the thread slept in, in stacks that it was
 * pushed aside in, and in one that is idle and that no profile shows as such. */
static void add_waits(struct fake_stack *stack, uint32_t i)
{
    if (stack->kind == CPROF_STACK_OFF_CPU && i % 2) {
        stack->timer_weight_ns = (STACKS - i) * 1000;
    }
    if (stack->kind == CPROF_STACK_OFF_CPU && i % 5 == 0) {
        stack->state = CPROF_STATE_NONE;
        stack->weight_ns = 0;
        stack->timer_weight_ns = (i + 1) * 3000;
    }
    if (i == STACKS - 1) {
        stack->kind = CPROF_STACK_OFF_CPU;
        stack->flags = CPROF_STACK_IDLE;
        stack->depth = 0;
        stack->weight_ns = 9000 * MS;
        stack->timer_weight_ns = 100 * MS;
    }
}

/* STACKS stacks in each slot, each with a frame of its own. Stack i has (i + 1) * 10 us on the CPU
 * or, every third one, asleep; their thread waited for a processor, too. */
static void write_slot(uint32_t slot_index, uint32_t epoch)
{
    struct cprof_log_writer writer = fake_writer(&segment, slot_index, epoch, 1);
    struct cprof_frame frames[DEPTH];
    struct fake_stack stack = {.frames = frames, .depth = DEPTH};
    uint32_t code = fake_code(&writer, &(struct fake_code){.name = "work",
                                                           .file = "shop.py",
                                                           .first_line = 7,
                                                           .line_format = CPROF_LINES_LNOTAB,
                                                           .line_table = steps,
                                                           .line_table_bytes = sizeof(steps)});
    uint32_t tag = fake_tag(&writer, CPROF_NO_REF, "thread", "main");
    uint64_t cpu_ns = 0;

    for (uint32_t i = 0; i < STACKS; i++) {
        for (uint32_t j = 0; j < DEPTH; j++) {
            frames[j] = (struct cprof_frame){code, (int32_t)(j == 0 ? 2 * i : 2 * j)};
        }
        stack.tag_ref = tag;
        stack.kind = i % 3 ? CPROF_STACK_ON_CPU : CPROF_STACK_OFF_CPU;
        stack.state = i % 3 ? 0 : i % 2 ? CPROF_STATE_POLL : CPROF_STATE_FUTEX;
        stack.count = i + 1;
        stack.weight_ns = (i + 1) * 10000;
        stack.timer_weight_ns = 0;
        if (looks_found_waits) {
            add_waits(&stack, i);
        }
        cpu_ns += stack.kind == CPROF_STACK_ON_CPU ? stack.weight_ns : 0;
        EXPECT(fake_stack(&writer, &stack) != CPROF_NO_REF);
    }
    stack = (struct fake_stack){
        .kind = CPROF_STACK_RUNNABLE, .tag_ref = tag, .count = 1, .weight_ns = 777 * MS};
    EXPECT(fake_stack(&writer, &stack) != CPROF_NO_REF);
    /* The clock is a little above the samples, so that all values are scaled. */
    fake_close(&segment, slot_index, epoch, cpu_ns + cpu_ns / 7);
}

static void begin_test(uint32_t slot_count)
{
    for (uint32_t i = 0; i < sizeof(steps); i++) {
        steps[i] = i % 2 ? 1 : 2;
    }
    memset(&config, 0, sizeof(config));
    config.tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE;
    fake_segment_open(&segment, slot_count, LOG_BYTES);
    for (uint32_t i = 0; i < slot_count; i++) {
        write_slot(i, EPOCH);
    }
}

/* One kind; table_bytes 0: no bounds. */
static struct cprof_merge merge(struct cprof_table *table, enum cprof_kind kind, size_t table_bytes)
{
    struct cprof_merge merge;
    struct cprof_log_view view;
    struct cprof_error error;
    uint64_t log_bytes = 0;

    for (uint32_t i = 0; i < segment.slot_count; i++) {
        log_bytes +=
            (atomic_load(&cprof_segment_slot(&segment, i)->claim) & UINT32_MAX) * CPROF_CHUNK_BYTES;
    }
    cprof_table_init(table);
    cprof_merge_begin(&merge, table, &config, &window, kind);
    if (table_bytes > 0) {
        cprof_merge_bound(&merge, table_bytes, log_bytes);
    }
    for (uint32_t i = 0; i < segment.slot_count; i++) {
        EXPECT(cprof_log_read(&view, &segment, i, EPOCH, &error));
        EXPECT(cprof_merge_slot(&merge, &view, &error));
        cprof_log_view_reset(&view);
    }
    EXPECT(cprof_merge_end(&merge, &error));
    return merge;
}

static bool has_label(const struct cprof_table *table, const struct cprof_sample *sample,
                      const char *key, const char *value)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(table, label->key), key) == 0 &&
            strcmp(cprof_table_text_at(table, label->value), value) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_named(const struct cprof_table *table, const struct cprof_sample *sample,
                     const char *name)
{
    uint32_t leaf = table->location_pool[sample->first_location];
    uint32_t function = table->locations[leaf].function;

    return strcmp(cprof_table_text_at(table, table->functions[function].name), name) == 0;
}

static bool is_other(const struct cprof_table *table, const struct cprof_sample *sample)
{
    return is_named(table, sample, "[other]");
}

struct sums {
    uint64_t count, value_ns;
    uint64_t others; /* of a harvest */
};

/* Of the samples with this label; NULL: of all. */
static struct sums sum(const struct cprof_table *table, const char *key, const char *value)
{
    struct sums sums = {0};

    for (size_t i = 0; i < table->sample_count; i++) {
        if (!key || has_label(table, &table->samples[i], key, value)) {
            sums.count += table->samples[i].count;
            sums.value_ns += table->samples[i].value_ns;
        }
    }
    return sums;
}

static void expect_equal_sums(const struct cprof_table *a, const struct cprof_table *b,
                              const char *key, const char *value)
{
    struct sums first = sum(a, key, value), second = sum(b, key, value);

    EXPECT(first.count == second.count && first.value_ns == second.value_ns);
    EXPECT(first.value_ns > 0);
}

static void sums_with_other_are_those_without_bounds(void)
{
    static const char *const states[] = {"running", "poll", "futex", "runnable"};
    struct cprof_table whole, bounded;
    struct cprof_merge without, with;

    begin_test(3);
    without = merge(&whole, CPROF_KIND_WALL, 0);
    EXPECT(without.others.stacks == 0 && without.others.count == 0);
    for (size_t bytes = 4096; bytes <= 1 << 18; bytes *= 2) {
        with = merge(&bounded, CPROF_KIND_WALL, bytes);
        /* Run-queue time is no stack of its own. */
        EXPECT(with.others.stacks > 0 && with.others.stacks <= 3 * STACKS);
        expect_equal_sums(&whole, &bounded, NULL, NULL);
        for (unsigned i = 0; i < sizeof(states) / sizeof(*states); i++) {
            expect_equal_sums(&whole, &bounded, "state", states[i]);
        }
        expect_equal_sums(&whole, &bounded, "worker", "1");
        expect_equal_sums(&whole, &bounded, "worker", "2");
        expect_equal_sums(&whole, &bounded, "worker", "3");
        cprof_table_reset(&bounded);
    }
    cprof_table_reset(&whole);
    fake_segment_close(&segment);
}

/* A window of so many equal parts, each with a third of the table's bytes more than the one before
 * it; 0: no bounds. */
static struct cprof_making *make_parts(unsigned part_count, size_t table_bytes)
{
    static const struct cprof_snapshot nothing;
    struct cprof_window part = window;
    struct cprof_harvest_source source = {
        .segment = &segment, .config = &config, .window = &part, .base = &nothing};
    struct cprof_making *making = NULL;
    struct cprof_error error;

    begin_test(3);
    config.gateway_memory_mib = table_bytes > 0 ? 64 : 0;
    for (unsigned i = 0; i < part_count; i++) {
        source.table_bytes = table_bytes / 3 * (i + 1);
        if (i == 0) {
            making = cprof_making_begin(&source, &error);
            EXPECT(making);
        } else {
            cprof_making_next_part(making, &source);
        }
        while (cprof_making_step(making, &error) == CPROF_STEP_MORE) {
        }
        EXPECT(cprof_making_step(making, &error) == CPROF_STEP_DONE);
        EXPECT(table_bytes == 0 || cprof_making_table_bytes(making) <= source.table_bytes + 16384);
        part.start_ns = part.end_ns + 50 * MS;
        part.end_ns = part.start_ns + 10000 * MS;
        part.epoch++;
        for (uint32_t slot = 0; slot < 3; slot++) {
            cprof_segment_recycle_slot(&segment, slot, part.epoch);
            write_slot(slot, part.epoch);
        }
    }
    cprof_making_complete(making);
    while (cprof_making_step(making, &error) == CPROF_STEP_MORE) {
    }
    EXPECT(cprof_making_step(making, &error) == CPROF_STEP_DONE);
    fake_segment_close(&segment);
    return making;
}

static bool has_comment(const struct cprof_table *table, const char *text)
{
    for (size_t i = 0; i < table->comment_count; i++) {
        if (strstr(cprof_table_text_at(table, table->comments[i]), text)) {
            return true;
        }
    }
    return false;
}

static void a_window_of_three_parts_has_three_times_the_samples_of_one(void)
{
    struct cprof_making *one = make_parts(1, 0), *three = make_parts(3, 0);

    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        const struct cprof_table *of_one = &cprof_making_harvest(one)->profiles[i].table;
        const struct cprof_table *of_three = &cprof_making_harvest(three)->profiles[i].table;

        EXPECT(of_one->sample_count > STACKS && of_three->sample_count == of_one->sample_count);
        EXPECT(of_three->location_count == of_one->location_count);
        for (size_t j = 0; j < of_one->sample_count; j++) {
            EXPECT(of_three->samples[j].count == 3 * of_one->samples[j].count);
            EXPECT(of_three->samples[j].value_ns == 3 * of_one->samples[j].value_ns);
        }
        EXPECT(of_one->duration_ns == 10000 * MS && of_three->duration_ns == 30000 * MS);
        EXPECT(has_comment(of_three, "window: 30.000 s,"));
        EXPECT(has_comment(of_three, "parts: 3, as logs were half full; 0.100 s between them"));
        EXPECT(!has_comment(of_one, "parts:"));
        EXPECT(of_three->comment_count == of_one->comment_count + 1);
    }
    cprof_making_end(one);
    cprof_making_end(three);
}

static void parts_that_find_no_room_are_other(void)
{
    struct cprof_making *whole = make_parts(3, 0);

    for (size_t bytes = 4096; bytes <= 1 << 18; bytes *= 4) {
        struct cprof_making *bounded = make_parts(3, bytes);
        const struct cprof_harvest *harvest = cprof_making_harvest(bounded);

        EXPECT(harvest->others > 0 && harvest->others <= UINT64_C(3) * 3 * STACKS);
        for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
            const struct cprof_table *with = &harvest->profiles[i].table;
            const struct cprof_table *without = &cprof_making_harvest(whole)->profiles[i].table;

            expect_equal_sums(without, with, NULL, NULL);
            expect_equal_sums(without, with, "worker", "1");
            expect_equal_sums(without, with, "worker", "3");
            EXPECT(has_comment(with, "gateway memory: "));
        }
        cprof_making_end(bounded);
    }
    cprof_making_end(whole);
}

/* In a state, of the samples whose innermost frame has this name. */
static uint64_t ns_of(const struct cprof_table *table, const char *name, const char *state)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        if (is_named(table, &table->samples[i], name) &&
            has_label(table, &table->samples[i], "state", state)) {
            sum_ns += table->samples[i].value_ns;
        }
    }
    return sum_ns;
}

static void run_queue_time_of_stacks_without_room_is_other(void)
{
    static const char *const states[] = {"running", "poll", "futex", "runnable"};
    struct cprof_table whole, bounded;
    uint64_t in_stacks_ns;

    looks_found_waits = true;
    begin_test(3);
    (void)merge(&whole, CPROF_KIND_WALL, 0);
    EXPECT(sum(&whole, "state", "runnable").value_ns == 3 * 777 * MS);
    EXPECT(ns_of(&whole, "[uWSGI]", "runnable") > 0 && ns_of(&whole, "[idle]", "idle") == 0);
    for (size_t bytes = 4096; bytes <= 1 << 18; bytes *= 2) {
        EXPECT(merge(&bounded, CPROF_KIND_WALL, bytes).others.stacks > 0);
        expect_equal_sums(&whole, &bounded, NULL, NULL);
        for (unsigned i = 0; i < sizeof(states) / sizeof(*states); i++) {
            expect_equal_sums(&whole, &bounded, "state", states[i]);
        }
        expect_equal_sums(&whole, &bounded, "worker", "2");
        /* What found room has its own part still. */
        in_stacks_ns = ns_of(&bounded, "work", "runnable") + ns_of(&bounded, "[uWSGI]", "runnable");
        EXPECT(ns_of(&bounded, "[other]", "runnable") == 3 * 777 * MS - in_stacks_ns);
        EXPECT(ns_of(&bounded, "[other]", "runnable") > 0);
        EXPECT(bytes < 1 << 18 || in_stacks_ns > 0);
        cprof_table_reset(&bounded);
    }
    cprof_table_reset(&whole);
    fake_segment_close(&segment);
    looks_found_waits = false;
}

static void what_is_other_is_counted(void)
{
    struct cprof_table table;
    struct cprof_merge bounded;
    struct sums other = {0};
    char comment[256];
    bool is_told = false;
    size_t unsampled = 0;

    begin_test(2);
    bounded = merge(&table, CPROF_KIND_CPU, 1 << 16);
    for (size_t i = 0; i < table.sample_count; i++) {
        if (is_other(&table, &table.samples[i])) {
            other.count += table.samples[i].count;
            other.value_ns += table.samples[i].value_ns;
        }
        unsampled += table.samples[i].count == 0;
    }
    EXPECT(other.count == bounded.others.count && other.value_ns == bounded.others.value_ns);
    /* Each stack on the CPU is a sample or in [other]; each slot has one [other]. */
    EXPECT(bounded.others.stacks > 0);
    EXPECT(bounded.others.stacks + table.sample_count - unsampled - 2 ==
           2 * (STACKS - (STACKS + 2) / 3));
    (void)snprintf(comment, sizeof(comment), "gateway memory: %llu stacks with %llu samples and",
                   (unsigned long long)bounded.others.stacks,
                   (unsigned long long)bounded.others.count);
    for (size_t i = 0; i < table.comment_count; i++) {
        is_told |=
            strncmp(cprof_table_text_at(&table, table.comments[i]), comment, strlen(comment)) == 0;
    }
    EXPECT(is_told);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

static void stacks_with_most_time_find_room_first_in_each_slot(void)
{
    struct cprof_table table;
    uint64_t least_ns[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX}, kept[3] = {0};

    begin_test(3);
    (void)merge(&table, CPROF_KIND_WALL, 1 << 18);
    for (size_t i = 0; i < table.sample_count; i++) {
        const struct cprof_sample *sample = &table.samples[i];

        for (uint32_t slot = 0; slot < 3; slot++) {
            const char name[] = {(char)('1' + slot), '\0'};

            if (has_label(&table, sample, "worker", name) && sample->count > 0 &&
                !is_other(&table, sample)) {
                kept[slot]++;
                least_ns[slot] = sample->count < least_ns[slot] ? sample->count : least_ns[slot];
            }
        }
    }
    for (uint32_t slot = 0; slot < 3; slot++) {
        /* Counts are 1 to STACKS, as the times are: the kept ones are the highest, without a gap.
         * */
        EXPECT(kept[slot] > 100 && least_ns[slot] == STACKS - kept[slot] + 1);
        /* Equally full logs have equal parts; what one leaves of its own goes to the next ones. */
        EXPECT(kept[slot] >= kept[0] && kept[slot] <= kept[0] + kept[0] / 20);
    }
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* Each stack has a function of its own with a long name; later ones have more time. */
static void write_names(uint32_t slot_index)
{
    struct cprof_log_writer writer = fake_writer(&segment, slot_index, EPOCH, 1);
    struct cprof_frame frame = {0};
    struct fake_stack stack = {.frames = &frame, .depth = 1};
    char name[201];

    for (uint32_t i = 0; i < STACKS; i++) {
        (void)snprintf(name, sizeof(name), "%0200u", i);
        frame.code_ref = fake_code(&writer, &(struct fake_code){.name = name, .file = "a.py"});
        stack.count = i + 1;
        stack.weight_ns = (i + 1) * 10000;
        EXPECT(fake_stack(&writer, &stack) != CPROF_NO_REF);
    }
    fake_close(&segment, slot_index, EPOCH, 0);
}

static void stacks_with_most_time_get_the_room_that_there_is_for_names(void)
{
    struct cprof_table table;
    uint64_t least = UINT64_MAX, kept = 0;

    begin_test(1);
    fake_segment_close(&segment);
    fake_segment_open(&segment, 1, LOG_BYTES);
    write_names(0);
    (void)merge(&table, CPROF_KIND_CPU, 1 << 18);
    for (size_t i = 0; i < table.sample_count; i++) {
        const struct cprof_sample *sample = &table.samples[i];

        if (sample->count > 0 && !is_other(&table, sample)) {
            kept++;
            least = sample->count < least ? sample->count : least;
        }
    }
    EXPECT(kept > 50 && kept < STACKS / 2 && least == STACKS - kept + 1);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* Nearly idle workers have a comment each, which is longer than their names. */
static void comments_on_many_slots_leave_the_last_one_its_room_for_names(void)
{
    enum { SLOTS = 30 };
    struct cprof_table table;
    unsigned kept = 0;

    begin_test(1);
    fake_segment_close(&segment);
    fake_segment_open(&segment, SLOTS, LOG_BYTES);
    for (uint32_t i = 0; i < SLOTS - 1; i++) {
        struct cprof_log_writer writer = fake_writer(&segment, i, EPOCH, 1);

        EXPECT(fake_stack(&writer, &(struct fake_stack){.count = 1}) != CPROF_NO_REF);
        fake_close(&segment, i, EPOCH, MS);
    }
    write_names(SLOTS - 1);
    (void)merge(&table, CPROF_KIND_CPU, 1 << 15);
    for (size_t i = 0; i < table.sample_count; i++) {
        kept += table.samples[i].count > 0 && !is_other(&table, &table.samples[i]) &&
                has_label(&table, &table.samples[i], "worker", "30");
    }
    EXPECT(kept > 10);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

static size_t array_bytes(const struct cprof_table *table)
{
    return table->text_capacity * sizeof(*table->texts) +
           table->function_capacity * sizeof(*table->functions) +
           table->location_capacity * sizeof(*table->locations) +
           table->sample_capacity * sizeof(*table->samples) + table->text_pool_capacity +
           table->location_pool_capacity * sizeof(*table->location_pool) +
           table->label_pool_capacity * sizeof(*table->label_pool);
}

static void the_bound_holds_by_the_tables_own_book(void)
{
    struct cprof_table table;

    begin_test(3);
    for (size_t bytes = 1 << 16; bytes <= 1 << 20; bytes *= 2) {
        struct cprof_merge bounded = merge(&table, CPROF_KIND_WALL, bytes);

        /* Beyond it there may be [other] and the comments, of which each slot has one. */
        EXPECT(table.sample_bytes <= bounded.sample_bytes_max + (16 << 10) + 3 * 1024);
        EXPECT(table.name_bytes <= bounded.name_bytes_max + (16 << 10) + 32 * 1024);
        EXPECT(array_bytes(&table) <= (table.name_bytes + table.sample_bytes) * 5 / 4 + 16384);
        cprof_table_reset(&table);
    }
    fake_segment_close(&segment);
}

static void a_profile_that_fits_is_the_same_with_and_without_bounds(void)
{
    struct cprof_table whole, bounded;

    begin_test(2);
    EXPECT(merge(&whole, CPROF_KIND_WALL, 0).others.stacks == 0);
    EXPECT(merge(&bounded, CPROF_KIND_WALL, 16 << 20).others.stacks == 0);
    EXPECT(whole.sample_count == bounded.sample_count && whole.text_count == bounded.text_count);
    EXPECT(memcmp(whole.samples, bounded.samples, whole.sample_count * sizeof(*whole.samples)) ==
           0);
    EXPECT(memcmp(whole.location_pool, bounded.location_pool,
                  whole.location_pool_used * sizeof(*whole.location_pool)) == 0);
    cprof_table_reset(&whole);
    cprof_table_reset(&bounded);
    fake_segment_close(&segment);
}

static uint64_t rest_stacks(const struct cprof_log_view *view)
{
    uint64_t stacks = 0;

    for (unsigned i = 0; i < CPROF_REST_COUNT; i++) {
        stacks += view->rest_stacks[i];
    }
    return stacks;
}

/* What lies behind the part of a log that is copied is in [other], whatever was asked for. */
static void expect_part_and_rest_to_be_the_whole(void)
{
    static const uint64_t parts[] = {0, CPROF_CHUNK_BYTES, 3 * CPROF_CHUNK_BYTES};
    struct cprof_table whole, part;
    struct cprof_log_view view;
    struct cprof_merge part_merge;
    struct cprof_error error;

    begin_test(1);
    (void)merge(&whole, CPROF_KIND_WALL, 0);
    for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        cprof_table_init(&part);
        cprof_merge_begin(&part_merge, &part, &config, &window, CPROF_KIND_WALL);
        EXPECT(cprof_log_read_part(&view, &segment, 0, EPOCH, parts[i], &error));
        EXPECT(view.byte_count == (parts[i] ? parts[i] : CPROF_CHUNK_BYTES));
        EXPECT(view.rejected == 0 && rest_stacks(&view) > 0);
        EXPECT(looks_found_waits || view.stack_count + rest_stacks(&view) == STACKS + 1);
        EXPECT(cprof_merge_slot(&part_merge, &view, &error));
        /* Idle ones are hidden, wherever they stand. */
        EXPECT(part_merge.others.stacks == rest_stacks(&view) - view.rest_stacks[CPROF_REST_IDLE]);
        cprof_log_view_reset(&view);
        EXPECT(cprof_merge_end(&part_merge, &error));
        expect_equal_sums(&whole, &part, NULL, NULL);
        expect_equal_sums(&whole, &part, "state", "running");
        expect_equal_sums(&whole, &part, "state", "runnable");
        cprof_table_reset(&part);
    }
    cprof_table_reset(&whole);
    fake_segment_close(&segment);
}

static void a_part_of_a_log_and_the_rest_have_the_sums_of_the_whole(void)
{
    expect_part_and_rest_to_be_the_whole();
    looks_found_waits = true;
    expect_part_and_rest_to_be_the_whole();
    looks_found_waits = false;
}

static void take(struct cprof_snapshot *snapshot, size_t bytes)
{
    const struct cprof_snapshot_bounds bounds = {.log_bytes = LOG_BYTES, .bytes = bytes};
    struct cprof_error error;

    *snapshot = (struct cprof_snapshot){0};
    while (!cprof_snapshot_is_whole(snapshot)) {
        EXPECT(cprof_snapshot_step(snapshot, &segment, EPOCH, &bounds, &error));
    }
    EXPECT(bytes > 0 || snapshot->bytes == segment.slot_count * sizeof(*snapshot->slots));
}

static struct sums difference(const struct cprof_snapshot *base, const struct cprof_snapshot *end)
{
    const struct cprof_harvest_source source = {
        .segment = &segment, .config = &config, .window = &window, .base = base, .end = end};
    struct cprof_error error;
    struct cprof_making *making = cprof_making_begin(&source, &error);
    enum cprof_step step = CPROF_STEP_MORE;
    struct sums sums;

    EXPECT(making);
    cprof_making_complete(making);
    while (step == CPROF_STEP_MORE) {
        step = cprof_making_step(making, &error);
    }
    EXPECT(step == CPROF_STEP_DONE && cprof_making_harvest(making)->count == 2);
    sums = sum(&cprof_making_harvest(making)->profiles[1].table, NULL, NULL);
    sums.others = cprof_making_harvest(making)->others;
    cprof_making_end(making);
    return sums;
}

/* A stack more, of 5 ms asleep and 2 samples, in slot 0. */
static void add_more(void)
{
    struct cprof_log_writer writer = fake_writer(&segment, 0, EPOCH, 1);
    struct fake_stack stack = {
        .kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_POLL, .count = 2, .weight_ns = 5 * MS};

    EXPECT(fake_stack(&writer, &stack) != CPROF_NO_REF);
}

static void a_window_between_two_looks_has_what_was_sampled_between_them(void)
{
    static const size_t bounds[] = {SIZE_MAX, 0};
    struct cprof_snapshot base, end;

    for (unsigned i = 0; i < 4; i++) {
        struct sums sums;

        begin_test(2);
        take(&base, bounds[i & 1]);
        add_more();
        take(&end, bounds[i >> 1]);
        add_more(); /* after the end: another window's */
        sums = difference(&base, &end);
        EXPECT(sums.count == 2 && sums.value_ns == 5 * MS);
        EXPECT(sums.others == (i > 0 ? 2 : 0)); /* of very many: one a sample, at most */
        sums = difference(&base, NULL);
        EXPECT(sums.count == 4 && sums.value_ns == 10 * MS);
        cprof_snapshot_reset(&base);
        cprof_snapshot_reset(&end);
        fake_segment_close(&segment);
    }
}

static void a_look_that_goes_on_in_another_epoch_begins_anew(void)
{
    const struct cprof_snapshot_bounds bounds = {.log_bytes = LOG_BYTES, .bytes = SIZE_MAX};
    struct cprof_snapshot snapshot = {0};
    struct cprof_error error;

    begin_test(2);
    EXPECT(cprof_snapshot_step(&snapshot, &segment, EPOCH, &bounds, &error));
    EXPECT(snapshot.slots[0].stack_count == STACKS + 1);
    /* The logs are given back meanwhile: nobody wrote in this epoch yet. */
    EXPECT(cprof_snapshot_step(&snapshot, &segment, EPOCH + 1, &bounds, &error));
    EXPECT(snapshot.slots[0].stack_count == 0 && !cprof_snapshot_is_whole(&snapshot));
    EXPECT(snapshot.slots[0].counters.counters[CPROF_COUNTER_CPU_CLOCK_NS] == 0);
    EXPECT(cprof_snapshot_step(&snapshot, &segment, EPOCH + 1, &bounds, &error));
    EXPECT(cprof_snapshot_is_whole(&snapshot));
    cprof_snapshot_reset(&snapshot);
    fake_segment_close(&segment);
}

/* What a process says of its log's fill gets it no room: it may say anything. */
static void a_slot_that_claims_all_of_its_log_leaves_the_others_their_room(void)
{
    const uint64_t part_bytes = 8 * CPROF_CHUNK_BYTES;
    struct cprof_table table;
    struct cprof_merge bounded;
    struct cprof_log_view view;
    struct cprof_error error;
    unsigned kept[2] = {0, 0};

    begin_test(2);
    atomic_store(&cprof_segment_slot(&segment, 0)->claim,
                 (uint64_t)EPOCH << 32 | LOG_BYTES / CPROF_CHUNK_BYTES);
    cprof_table_init(&table);
    cprof_merge_begin(&bounded, &table, &config, &window, CPROF_KIND_CPU);
    cprof_merge_bound(&bounded, 1 << 17, 2 * part_bytes);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT(cprof_log_read_part(&view, &segment, i, EPOCH, part_bytes, &error));
        EXPECT(cprof_log_copied_bytes(&view) == part_bytes);
        EXPECT(cprof_merge_slot(&bounded, &view, &error));
        cprof_log_view_reset(&view);
    }
    for (size_t i = 0; i < table.sample_count; i++) {
        if (!is_other(&table, &table.samples[i])) {
            kept[0] += has_label(&table, &table.samples[i], "worker", "1");
            kept[1] += has_label(&table, &table.samples[i], "worker", "2");
        }
    }
    EXPECT(kept[0] > 50 && kept[1] >= kept[0]);
    cprof_merge_reset(&bounded);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* Of a part of a log, stacks that a kind does not have are none of its others either. */
static void a_cpu_profile_counts_no_other_stacks_off_the_cpu(void)
{
    struct cprof_table table;
    struct cprof_merge part_merge;
    struct cprof_log_view view;
    struct cprof_error error;

    begin_test(1);
    cprof_table_init(&table);
    cprof_merge_begin(&part_merge, &table, &config, &window, CPROF_KIND_CPU);
    EXPECT(cprof_log_read_part(&view, &segment, 0, EPOCH, CPROF_CHUNK_BYTES, &error));
    EXPECT(cprof_merge_slot(&part_merge, &view, &error));
    EXPECT(view.rest_stacks[CPROF_REST_OFF_CPU] > 0);
    EXPECT(part_merge.others.stacks == view.rest_stacks[CPROF_REST_ON_CPU]);
    cprof_log_view_reset(&view);
    cprof_merge_reset(&part_merge);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* Thousands of states, as no honest slot has them. */
static void write_states(uint32_t slot_index)
{
    struct cprof_log_writer writer = fake_writer(&segment, slot_index, EPOCH, 1);
    struct fake_stack stack = {.kind = CPROF_STACK_OFF_CPU, .count = 1, .weight_ns = MS};

    for (uint32_t i = 0; i < CPROF_SYSTEM_CALLS_MAX && i < STACKS; i++) {
        stack.state = CPROF_STATE_SYSTEM_CALL + i;
        EXPECT(fake_stack(&writer, &stack) != CPROF_NO_REF);
    }
    fake_close(&segment, slot_index, EPOCH, 0);
}

static void other_takes_no_more_of_many_slots_than_of_one(void)
{
    enum { SLOTS = 16 };
    struct cprof_table table;
    struct cprof_merge bounded;

    begin_test(1);
    fake_segment_close(&segment);
    fake_segment_open(&segment, SLOTS, LOG_BYTES);
    for (uint32_t i = 0; i < SLOTS; i++) {
        write_states(i);
    }
    bounded = merge(&table, CPROF_KIND_WALL, 4096);
    /* And one sample of each slot that is always there. */
    EXPECT(table.sample_bytes <= bounded.sample_bytes_max + (16 << 10) + SLOTS * 512);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

static void a_table_stays_below_what_a_file_may_have(void)
{
    struct cprof_config largest = {.gateway_memory_mib = CPROF_GATEWAY_MIB_MAX};

    EXPECT(cprof_memory_table_bytes(&largest) <= CPROF_GUNZIP_BYTES_MAX);
    largest.gateway_memory_mib = CPROF_GATEWAY_MIB_MIN;
    EXPECT(cprof_memory_table_bytes(&largest) == (CPROF_GATEWAY_MIB_MIN << 20) / 10);
}

int main(void)
{
    RUN(sums_with_other_are_those_without_bounds);
    RUN(a_window_of_three_parts_has_three_times_the_samples_of_one);
    RUN(parts_that_find_no_room_are_other);
    RUN(run_queue_time_of_stacks_without_room_is_other);
    RUN(what_is_other_is_counted);
    RUN(stacks_with_most_time_find_room_first_in_each_slot);
    RUN(stacks_with_most_time_get_the_room_that_there_is_for_names);
    RUN(comments_on_many_slots_leave_the_last_one_its_room_for_names);
    RUN(the_bound_holds_by_the_tables_own_book);
    RUN(a_profile_that_fits_is_the_same_with_and_without_bounds);
    RUN(a_part_of_a_log_and_the_rest_have_the_sums_of_the_whole);
    RUN(a_window_between_two_looks_has_what_was_sampled_between_them);
    RUN(a_look_that_goes_on_in_another_epoch_begins_anew);
    RUN(a_slot_that_claims_all_of_its_log_leaves_the_others_their_room);
    RUN(a_cpu_profile_counts_no_other_stacks_off_the_cpu);
    RUN(other_takes_no_more_of_many_slots_than_of_one);
    RUN(a_table_stays_below_what_a_file_may_have);
    return 0;
}
