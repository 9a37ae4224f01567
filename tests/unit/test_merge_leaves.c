/* test_merge_leaves.c - native leaves, system calls and the interpreter's lock in profiles; see
 * gateway/profile/merge.h and log_reader.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/merge.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "expect.h"
#include "fake_log.h"

#define EPOCH 1
#define MS    UINT64_C(1000000)

static struct cprof_segment segment;
static struct cprof_log_writer writer;
static struct cprof_log_view view;
static struct cprof_table table;
static struct cprof_config config;
static struct cprof_frame frame;

static void begin_test(void)
{
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    config = (struct cprof_config){.native_leaf = 1, .tags = CPROF_TAG_GIL};
    frame.code_ref =
        fake_code(&writer, &(struct fake_code){.name = "f", .file = "f.py", .first_line = 1});
    EXPECT(fake_mapping(&writer, &(struct fake_mapping){
                                     .start = 0x1000,
                                     .end = 0x2000,
                                     .inode = 1,
                                     .incarnation = 1,
                                     .path = "/nowhere/liba.so",
                                 }));
    cprof_table_init(&table);
}

static void merge_kind(enum cprof_kind kind)
{
    static const struct cprof_window window = {.epoch = EPOCH,
                                               .kinds = CPROF_KINDS_ALL,
                                               .period_ns = 10 * MS,
                                               .start_ns = 1,
                                               .end_ns = 10000 * MS + 1};
    struct cprof_merge merge;
    struct cprof_error error;

    cprof_merge_begin(&merge, &table, &config, &window, kind);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(cprof_merge_slot(&merge, &view, &error));
    EXPECT(cprof_merge_end(&merge, &error));
}

static void end_test(void)
{
    cprof_log_view_reset(&view);
    cprof_table_reset(&table);
    fake_segment_close(&segment);
}

/* A stack of one frame. */
static uint32_t add_stack(struct fake_stack stack)
{
    uint32_t ref;

    stack.frames = &frame;
    stack.depth = 1;
    ref = fake_stack(&writer, &stack);
    EXPECT(ref);
    return ref;
}

static void add_leaf(uint32_t stack_ref, uint64_t pc, uint64_t count)
{
    EXPECT(fake_leaf(&writer, &(struct fake_leaf){.stack_ref = stack_ref,
                                                  .pc = pc,
                                                  .count = count,
                                                  .weight_ns = count * 10 * MS}));
}

/* The sample whose innermost frame has this name, or NULL. */
static const struct cprof_sample *sample_of(const char *name)
{
    for (size_t i = 0; i < table.sample_count; i++) {
        uint32_t location = table.location_pool[table.samples[i].first_location];
        uint32_t text = table.functions[table.locations[location].function].name;

        if (strcmp(cprof_table_text_at(&table, text), name) == 0) {
            return &table.samples[i];
        }
    }
    return NULL;
}

static const char *label_of(const struct cprof_sample *sample)
{
    return sample->label_count == 1
               ? cprof_table_text_at(&table, table.label_pool[sample->first_label].value)
               : "";
}

static void leaves_stand_on_their_stack_and_share_its_time(void)
{
    uint32_t stack;

    begin_test();
    stack = add_stack((struct fake_stack){.count = 1, .weight_ns = 10 * MS, .gil = CPROF_GIL_HELD});
    add_leaf(stack, 0x1800, 2);
    add_leaf(stack, 0x1900, 1);
    add_leaf(stack, 0x5000, 4);
    fake_close(&segment, 0, EPOCH, 160 * MS);
    merge_kind(CPROF_KIND_CPU);

    EXPECT(table.sample_count == 3 && view.rejected == 0);
    EXPECT(sample_of("f")->value_ns == 20 * MS && sample_of("f")->depth == 1);
    EXPECT(sample_of("[liba.so]")->value_ns == 60 * MS && sample_of("[liba.so]")->count == 3);
    EXPECT(sample_of("[liba.so]")->depth == 2);
    EXPECT(sample_of("[unknown]")->value_ns == 80 * MS);
    EXPECT(strcmp(label_of(sample_of("[liba.so]")), "held") == 0);
    end_test();
}

static void leaves_that_are_not_wanted_are_their_stack(void)
{
    begin_test();
    config.native_leaf = 0;
    config.tags = 0;
    add_leaf(add_stack((struct fake_stack){.count = 1, .weight_ns = 10 * MS}), 0x1800, 2);
    fake_close(&segment, 0, EPOCH, 30 * MS);
    merge_kind(CPROF_KIND_CPU);

    EXPECT(table.sample_count == 1 && table.samples[0].value_ns == 30 * MS);
    EXPECT(sample_of("f")->count == 3 && sample_of("f")->label_count == 0);
    end_test();
}

/* Where the timer saw more than was sampled, kernel time goes: to the leaf that it saw it in. */
static void kernel_time_goes_to_the_leaf_that_the_timer_saw(void)
{
    begin_test();
    EXPECT(fake_leaf(&writer, &(struct fake_leaf){.stack_ref = add_stack((struct fake_stack){
                                                      .count = 1, .weight_ns = 10 * MS}),
                                                  .pc = 0x1800,
                                                  .timer_weight_ns = 10 * MS}));
    fake_close(&segment, 0, EPOCH, 15 * MS);
    merge_kind(CPROF_KIND_CPU);

    EXPECT(sample_of("f")->value_ns == 10 * MS);
    EXPECT(sample_of("[liba.so]")->value_ns == 5 * MS && sample_of("[liba.so]")->count == 0);
    end_test();
}

static void a_sleeper_has_its_system_call(void)
{
    begin_test();
    (void)add_stack((struct fake_stack){.kind = CPROF_STACK_OFF_CPU,
                                        .state = CPROF_STATE_RECV,
                                        .system_call = SYS_recvfrom + 1,
                                        .gil = CPROF_GIL_RELEASED,
                                        .count = 1,
                                        .weight_ns = MS});
    (void)add_stack((struct fake_stack){.kind = CPROF_STACK_OFF_CPU,
                                        .state = CPROF_STATE_GIL,
                                        .system_call = 4001,
                                        .gil = CPROF_GIL_WAITING,
                                        .count = 1,
                                        .weight_ns = MS});
    (void)add_stack((struct fake_stack){.kind = CPROF_STACK_OFF_CPU,
                                        .state = CPROF_STATE_UNKNOWN,
                                        .gil = CPROF_GIL_COUNT,
                                        .count = 1,
                                        .weight_ns = MS});
    merge_kind(CPROF_KIND_WALL);

    EXPECT(strcmp(label_of(sample_of("recvfrom [system call]")), "released") == 0);
    EXPECT(strcmp(label_of(sample_of("[system call 4000]")), "waiting") == 0);
    EXPECT(sample_of("f")->label_count == 0);
    end_test();
}

static void an_earlier_look_is_taken_off_leaves_too(void)
{
    struct cprof_log_view earlier = {0};
    struct cprof_error error;
    struct cprof_log_base base;
    uint32_t stack;

    begin_test();
    stack = add_stack((struct fake_stack){.count = 0});
    add_leaf(stack, 0x1800, 5);
    add_leaf(stack, 0x1900, 3);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(view.stack_count == 2);

    base = (struct cprof_log_base){.ref = view.stacks[0],
                                   .numbers = cprof_log_numbers(&view, view.stacks[0])};
    cprof_log_subtract(&view, &earlier, &base, 1);
    EXPECT(view.stack_count == 1 && cprof_log_numbers(&view, view.stacks[0]).count == 3);
    end_test();
}

static void leaves_and_mappings_that_make_no_sense_are_rejected(void)
{
    uint32_t sleeper;
    struct cprof_mapping_record *mapping;

    begin_test();
    sleeper = add_stack(
        (struct fake_stack){.kind = CPROF_STACK_OFF_CPU, .count = 1, .weight_ns = 10 * MS});
    add_leaf(sleeper, 0x1800, 1);
    add_leaf(CPROF_NO_REF, 0x1800, 1);
    add_leaf(frame.code_ref, 0x1800, 1);
    add_leaf(UINT32_MAX, 0x1800, 1);
    mapping = cprof_log_record(
        writer.log, fake_mapping(&writer, &(struct fake_mapping){
                                              .start = 0x9000, .end = 0xa000, .path = "/liba.so"}));
    mapping->path_bytes = 9;
    (void)fake_mapping(&writer, &(struct fake_mapping){.start = 9, .end = 9, .path = "/liba.so"});
    merge_kind(CPROF_KIND_CPU);

    EXPECT(view.rejected == 6 && view.mapping_count == 1 && table.sample_count == 0);
    end_test();
}

/* However deep the stack is, a log cannot ask for more frames than honest ones need. */
static void leaves_may_not_multiply_a_deep_stack(void)
{
    static struct cprof_frame frames[CPROF_DEPTH_MAX];
    uint64_t added = 0;
    uint32_t stack;

    fake_segment_open(&segment, 1, 16 * CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    cprof_table_init(&table);
    frame.code_ref = fake_code(&writer, &(struct fake_code){.name = "f", .file = "f.py"});
    for (unsigned i = 0; i < CPROF_DEPTH_MAX; i++) {
        frames[i] = frame;
    }
    stack = fake_stack(
        &writer, &(struct fake_stack){.frames = frames, .depth = CPROF_DEPTH_MAX, .count = 1});
    while (fake_leaf(&writer, &(struct fake_leaf){.stack_ref = stack, .pc = added, .count = 1})) {
        added++;
    }
    EXPECT(added > CPROF_LEAVES_MAX);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &(struct cprof_error){0}));

    EXPECT(view.stack_count < CPROF_LEAVES_MAX && view.rejected > 0);
    end_test();
}

int main(void)
{
    RUN(leaves_stand_on_their_stack_and_share_its_time);
    RUN(leaves_that_are_not_wanted_are_their_stack);
    RUN(kernel_time_goes_to_the_leaf_that_the_timer_saw);
    RUN(a_sleeper_has_its_system_call);
    RUN(an_earlier_look_is_taken_off_leaves_too);
    RUN(leaves_and_mappings_that_make_no_sense_are_rejected);
    RUN(leaves_may_not_multiply_a_deep_stack);
    return 0;
}
