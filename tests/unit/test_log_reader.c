/* test_log_reader.c - see gateway/profile/log_reader.h.
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/profile/log_reader.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "expect.h"
#include "fake_log.h"

#define EPOCH 1

static struct cprof_segment segment;
static struct cprof_log_view view;

static void read_slot(uint32_t slot_index)
{
    struct cprof_error error;

    EXPECT(cprof_log_read(&view, &segment, slot_index, EPOCH, &error));
}

static void end_test(void)
{
    cprof_log_view_reset(&view);
    fake_segment_close(&segment);
}

static uint32_t simple_code(struct cprof_log_writer *writer)
{
    return fake_code(writer, &(struct fake_code){.name = "f", .file = "f.py", .first_line = 7});
}

/* A stack of one frame of its own code object. */
static uint32_t simple_stack(struct cprof_log_writer *writer, uint64_t count)
{
    struct cprof_frame frame = {.code_ref = simple_code(writer), .byte_offset = 4};

    return fake_stack(
        writer, &(struct fake_stack){
                    .frames = &frame, .depth = 1, .count = count, .weight_ns = count * 10000000});
}

static void *record_of(struct cprof_log_writer *writer, uint32_t ref)
{
    return cprof_log_record(writer->log, ref);
}

static void an_untouched_slot_is_empty(void)
{
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    read_slot(0);
    EXPECT(view.stack_count == 0 && view.rejected == 0 && !view.closed);
    EXPECT(view.kind == CPROF_SLOT_WORKER && view.number == 1);
    end_test();
}

static void what_was_written_is_read(void)
{
    struct cprof_log_writer writer;
    struct cprof_log_code code;
    struct cprof_log_tag tag;
    struct cprof_frame frame;
    const struct cprof_stack_record *stack;
    uint32_t ref;

    fake_segment_open(&segment, 2, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 1, EPOCH, 1);
    frame.code_ref = fake_code(&writer, &(struct fake_code){.name = "pay",
                                                            .qualified_name = "Shop.pay",
                                                            .file = "shop.py",
                                                            .first_line = 12});
    frame.byte_offset = 8;
    ref = fake_tag(&writer, fake_tag(&writer, CPROF_NO_REF, "thread", "core0"), "path", "/pay");
    ref = fake_stack(
        &writer, &(struct fake_stack){
                     .frames = &frame, .depth = 1, .tag_ref = ref, .count = 3, .weight_ns = 30});
    fake_close(&segment, 1, EPOCH, 33);

    read_slot(1);

    EXPECT(view.stack_count == 1 && view.stacks[0] == ref && view.rejected == 0 && view.closed);
    EXPECT(view.number == 2 && view.counters[CPROF_COUNTER_CPU_CLOCK_NS] == 33 &&
           view.counters[CPROF_COUNTER_SAMPLES] == 3);
    stack = cprof_log_stack(&view, ref);
    EXPECT(stack->count == 3 && stack->weight_ns == 30 && stack->depth == 1);
    EXPECT(stack->frames[0].byte_offset == 8);
    cprof_log_code(&view, stack->frames[0].code_ref, &code);
    EXPECT(strcmp(code.name, "pay") == 0 && strcmp(code.qualified_name, "Shop.pay") == 0);
    EXPECT(strcmp(code.file, "shop.py") == 0 && code.first_line == 12);
    ref = cprof_log_tag(&view, stack->tag_ref, &tag);
    EXPECT(strcmp(tag.key, "path") == 0 && strcmp(tag.value, "/pay") == 0);
    EXPECT(cprof_log_tag(&view, ref, &tag) == CPROF_NO_REF);
    EXPECT(strcmp(tag.key, "thread") == 0 && strcmp(tag.value, "core0") == 0);
    end_test();
}

static void a_log_that_is_full_is_read_to_its_end(void)
{
    struct cprof_log_writer writer;
    size_t written = 0;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    while (simple_stack(&writer, 1) != CPROF_NO_REF) {
        written++;
    }
    read_slot(0);
    EXPECT(written > 1000 && view.stack_count == written && view.rejected == 0);
    end_test();
}

static void chunks_that_were_never_written_are_read_without_making_their_pages(void)
{
    struct cprof_log_writer writer;
    struct stat before, after;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    EXPECT(simple_stack(&writer, 1));
    atomic_store(&cprof_segment_slot(&segment, 0)->claim, (uint64_t)EPOCH << 32 | 16);
    EXPECT(fstat(segment.fd, &before) == 0);
    read_slot(0);
    EXPECT(view.stack_count == 1 && view.rejected == 0);
    EXPECT(fstat(segment.fd, &after) == 0 && after.st_blocks == before.st_blocks);
    end_test();
}

static void read_part(uint64_t bytes)
{
    struct cprof_error error;

    EXPECT(cprof_log_read_part(&view, &segment, 0, EPOCH, bytes, &error));
    EXPECT(cprof_log_copied_bytes(&view) == bytes);
}

static void a_process_that_wrote_behind_the_part_that_is_copied_is_a_successor_as_well(void)
{
    struct cprof_log_writer writer;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    for (uint32_t incarnation = 1; incarnation <= 3; incarnation++) {
        writer = fake_writer(&segment, 0, EPOCH, incarnation);
        EXPECT(simple_stack(&writer, 1) != CPROF_NO_REF);
        read_part(CPROF_CHUNK_BYTES);
        EXPECT(view.successors == (incarnation > 1) && view.stack_count == 1);
        EXPECT(view.rest[CPROF_REST_ON_CPU].count == incarnation - 1);
        cprof_log_view_reset(&view);
    }
    fake_segment_close(&segment);
}

static void what_names_a_record_behind_the_part_that_is_copied_is_summed_up(void)
{
    struct cprof_log_writer early, late;
    struct cprof_frame frame;
    struct fake_stack stack = {.frames = &frame, .depth = 1, .count = 1, .weight_ns = 10};
    struct fake_leaf leaf = {.pc = 4096, .count = 2, .weight_ns = 20};

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    early = fake_writer(&segment, 0, EPOCH, 1);
    late = fake_writer(&segment, 0, EPOCH, 1);
    EXPECT(simple_stack(&early, 1) != CPROF_NO_REF);
    frame = (struct cprof_frame){.code_ref = simple_code(&late)};
    leaf.stack_ref = fake_stack(&early, &stack); /* its code is there */
    EXPECT(fake_leaf(&early, &leaf) != CPROF_NO_REF);
    leaf.stack_ref = simple_stack(&late, 4);
    leaf.count = 8;
    EXPECT(fake_leaf(&early, &leaf) != CPROF_NO_REF); /* and its stack */
    stack = (struct fake_stack){.kind = CPROF_STACK_OFF_CPU,
                                .tag_ref = fake_tag(&late, CPROF_NO_REF, "thread", "main"),
                                .count = 16,
                                .weight_ns = 160};
    EXPECT(fake_stack(&early, &stack) != CPROF_NO_REF); /* and its tag */

    read_part(CPROF_CHUNK_BYTES);
    EXPECT(view.rejected == 0 && view.stack_count == 1);
    EXPECT(view.rest[CPROF_REST_ON_CPU].count == 1 + 2 + 4 + 8);
    EXPECT(view.rest_stacks[CPROF_REST_ON_CPU] == 4);
    EXPECT(view.rest[CPROF_REST_OFF_CPU].count == 16);
    EXPECT(view.rest[CPROF_REST_OFF_CPU].weight_ns == 160);
    EXPECT(view.rest_stacks[CPROF_REST_OFF_CPU] == 1);
    end_test();
}

static void a_record_may_name_one_in_a_later_chunk(void)
{
    struct cprof_log_writer early, late;
    struct cprof_frame frame;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    early = fake_writer(&segment, 0, EPOCH, 1);
    late = fake_writer(&segment, 0, EPOCH, 1);
    EXPECT(simple_stack(&early, 1) != CPROF_NO_REF);
    frame = (struct cprof_frame){.code_ref = simple_code(&late)};
    EXPECT(fake_stack(&early, &(struct fake_stack){.frames = &frame, .depth = 1, .count = 1}) <
           frame.code_ref);
    read_slot(0);
    EXPECT(view.stack_count == 2 && view.rejected == 0 && !view.successors);
    end_test();
}

static void a_sample_in_flight_does_not_count(void)
{
    struct cprof_log_writer writer;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    (void)simple_stack(&writer, 0);
    read_slot(0);
    EXPECT(view.stack_count == 0 && view.rejected == 0);
    end_test();
}

static void off_the_cpu_the_weight_decides(void)
{
    struct cprof_log_writer writer;
    struct fake_stack stack = {.kind = CPROF_STACK_OFF_CPU};

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    EXPECT(fake_stack(&writer, &stack));
    stack.kind = CPROF_STACK_RUNNABLE;
    EXPECT(fake_stack(&writer, &stack));
    stack.weight_ns = 1;
    EXPECT(fake_stack(&writer, &stack));
    stack.kind = CPROF_STACK_OFF_CPU;
    EXPECT(fake_stack(&writer, &stack));
    read_slot(0);
    EXPECT(view.stack_count == 2 && view.rejected == 0);
    end_test();
}

static void a_state_that_is_none_is_unknown(void)
{
    static const struct {
        uint32_t told, taken;
    } states[] = {
        {CPROF_STATE_NONE, CPROF_STATE_UNKNOWN},
        {CPROF_STATE_UNKNOWN, CPROF_STATE_UNKNOWN},
        {CPROF_STATE_COUNT - 1, CPROF_STATE_COUNT - 1},
        {CPROF_STATE_COUNT, CPROF_STATE_UNKNOWN},
        {CPROF_STATE_SYSTEM_CALL - 1, CPROF_STATE_UNKNOWN},
        {CPROF_STATE_SYSTEM_CALL, CPROF_STATE_SYSTEM_CALL},
        {CPROF_STATE_SYSTEM_CALL + CPROF_SYSTEM_CALLS_MAX - 1,
         CPROF_STATE_SYSTEM_CALL + CPROF_SYSTEM_CALLS_MAX - 1},
        {CPROF_STATE_SYSTEM_CALL + CPROF_SYSTEM_CALLS_MAX, CPROF_STATE_UNKNOWN},
        {UINT32_MAX, CPROF_STATE_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        struct cprof_stack_record stack = {.state = states[i].told};

        EXPECT(cprof_log_state(&stack) == states[i].taken);
    }
}

static void a_thread_is_known_by_its_first_tag(void)
{
    struct cprof_log_writer writer;
    uint32_t thread, tags[CPROF_TAGS_PER_STACK_MAX];

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    thread = tags[0] = fake_tag(&writer, CPROF_NO_REF, "thread", "core0");
    for (unsigned i = 1; i < CPROF_TAGS_PER_STACK_MAX; i++) {
        tags[i] = fake_tag(&writer, tags[i - 1], "a", "b");
    }
    for (unsigned i = 0; i < CPROF_TAGS_PER_STACK_MAX; i++) {
        EXPECT(fake_stack(&writer, &(struct fake_stack){.tag_ref = tags[i], .count = 1}));
    }
    EXPECT(fake_stack(&writer, &(struct fake_stack){.count = 1}));
    read_slot(0);
    EXPECT(view.stack_count == CPROF_TAGS_PER_STACK_MAX + 1);
    for (unsigned i = 0; i < CPROF_TAGS_PER_STACK_MAX; i++) {
        EXPECT(cprof_log_thread(&view, cprof_log_stack(&view, view.stacks[i])) == thread);
    }
    EXPECT(cprof_log_thread(&view, cprof_log_stack(&view, view.stacks[CPROF_TAGS_PER_STACK_MAX])) ==
           CPROF_NO_REF);
    end_test();
}

static void a_successor_is_noticed(void)
{
    struct cprof_log_writer first, second;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    first = fake_writer(&segment, 0, EPOCH, 1);
    second = fake_writer(&segment, 0, EPOCH, 2);
    (void)simple_stack(&first, 1);
    (void)simple_stack(&second, 1);
    read_slot(0);
    EXPECT(view.stack_count == 2 && view.successors);
    end_test();
}

static void a_slot_of_another_epoch_gives_nothing(void)
{
    struct cprof_log_writer writer;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    (void)simple_stack(&writer, 1);
    fake_close(&segment, 0, EPOCH, 5);
    cprof_segment_slot(&segment, 0)->claim = UINT64_C(2) << 32 | 1;
    read_slot(0);
    EXPECT(view.stack_count == 0 && view.counters[CPROF_COUNTER_CPU_CLOCK_NS] == 0);
    end_test();
}

static void a_claim_beyond_the_log_is_cut(void)
{
    struct cprof_log_writer writer;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    (void)simple_stack(&writer, 1);
    cprof_segment_slot(&segment, 0)->claim = UINT64_C(1) << 32 | UINT32_MAX;
    read_slot(0);
    EXPECT(view.stack_count == 1 && view.rejected == 1);
    end_test();
}

/* Spoils one field of a good log of one stack; the stack must be gone and something counted. */
#define SPOILED(statement)                                                                         \
    do {                                                                                           \
        struct cprof_log_writer writer;                                                            \
        struct cprof_stack_record *stack;                                                          \
        struct cprof_code_record *code;                                                            \
        struct cprof_chunk *chunk;                                                                 \
        uint32_t stack_ref;                                                                        \
                                                                                                   \
        fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);                                       \
        writer = fake_writer(&segment, 0, EPOCH, 1);                                               \
        stack_ref = simple_stack(&writer, 1);                                                      \
        stack = record_of(&writer, stack_ref);                                                     \
        code = record_of(&writer, stack->frames[0].code_ref);                                      \
        chunk = (struct cprof_chunk *)(void *)writer.log;                                          \
        (void)stack, (void)code, (void)chunk;                                                      \
        statement;                                                                                 \
        read_slot(0);                                                                              \
        EXPECT(view.stack_count == 0 && view.rejected > 0);                                        \
        end_test();                                                                                \
    } while (0)

static void what_makes_no_sense_is_rejected_and_counted(void)
{
    SPOILED(chunk->epoch = 9);
    SPOILED(stack->record.type = 99);
    SPOILED(stack->record.bytes = 0);
    SPOILED(stack->record.bytes = 41);
    SPOILED(stack->record.bytes = UINT32_MAX - 7);
    SPOILED(stack->depth = 2);
    SPOILED(stack->kind = 0);
    SPOILED(stack->kind = CPROF_STACK_RUNNABLE);
    SPOILED(stack->kind = CPROF_STACK_RUNNABLE + 1);
    SPOILED(stack->kind = 255);
    SPOILED(stack->frames[0].code_ref = CPROF_NO_REF);
    SPOILED(stack->frames[0].code_ref = UINT32_MAX);
    SPOILED(stack->frames[0].code_ref += 1);
    SPOILED(stack->frames[0].code_ref = stack_ref);
    SPOILED(stack->tag_ref = stack->frames[0].code_ref);
    SPOILED(code->name_bytes = UINT16_MAX);
    SPOILED(code->record.bytes = 8);
}

static void a_ring_of_tags_ends(void)
{
    struct cprof_log_writer writer;
    struct cprof_tag_record *tag;
    struct cprof_frame frame;
    uint32_t ref;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    frame = (struct cprof_frame){.code_ref = simple_code(&writer)};
    ref = fake_tag(&writer, CPROF_NO_REF, "a", "b");
    (void)fake_stack(
        &writer, &(struct fake_stack){.frames = &frame, .depth = 1, .tag_ref = ref, .count = 1});
    tag = record_of(&writer, ref);
    tag->parent_ref = ref;
    read_slot(0);
    EXPECT(view.stack_count == 0 && view.rejected == 1);
    end_test();
}

static uint8_t assembled[CPROF_LINE_TABLE_BYTES_MAX];

static void a_line_table_in_parts_is_put_together(void)
{
    static uint8_t table[20000];
    struct cprof_log_writer writer;
    uint32_t ref;

    for (size_t i = 0; i < sizeof(table); i++) {
        table[i] = (uint8_t)(i * 7 >> 3);
    }
    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    ref = fake_code(&writer, &(struct fake_code){.name = "f",
                                                 .file = "f.py",
                                                 .line_format = CPROF_LINES_TABLE_311,
                                                 .line_table = table,
                                                 .line_table_bytes = sizeof(table),
                                                 .part_bytes = 3000});
    read_slot(0);
    EXPECT(cprof_log_line_table(&view, ref, assembled) == sizeof(table));
    EXPECT(memcmp(assembled, table, sizeof(table)) == 0);
    EXPECT(view.rejected == 0);
    end_test();
}

static void a_ring_of_line_table_parts_ends(void)
{
    static const uint8_t table[] = {1, 2, 3, 4};
    struct cprof_log_writer writer;
    struct cprof_code_record *code;
    struct cprof_lines_record *lines;
    uint32_t ref;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    ref = fake_code(&writer, &(struct fake_code){.name = "f",
                                                 .file = "f.py",
                                                 .line_table = table,
                                                 .line_table_bytes = sizeof(table)});
    code = record_of(&writer, ref);
    code->line_table_bytes = CPROF_LINE_TABLE_BYTES_MAX - 1;
    lines = record_of(&writer, code->lines_ref);
    lines->previous_ref = code->lines_ref;
    read_slot(0);
    EXPECT(cprof_log_line_table(&view, ref, assembled) == 0);
    end_test();
}

static void line_tables_may_not_be_larger_than_the_log_in_all(void)
{
    static const uint8_t table[8000];
    struct cprof_log_writer writer;
    size_t bytes = 0;
    uint32_t ref;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    ref = fake_code(&writer, &(struct fake_code){.name = "f",
                                                 .file = "f.py",
                                                 .line_table = table,
                                                 .line_table_bytes = sizeof(table)});
    read_slot(0);
    for (unsigned i = 0; i < 100; i++) {
        bytes += cprof_log_line_table(&view, ref, assembled);
    }
    EXPECT(bytes > 0 && bytes <= view.byte_count);
    end_test();
}

static void line_tables_that_end_in_nothing_are_not_put_together_for_ever(void)
{
    static const uint8_t table[8000];
    struct fake_code code = {
        .name = "f", .file = "f.py", .line_table = table, .line_table_bytes = sizeof(table)};
    struct cprof_code_record *broken;
    struct cprof_log_writer writer;
    uint32_t broken_ref, ref;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    writer = fake_writer(&segment, 0, EPOCH, 1);
    ref = fake_code(&writer, &code);
    code.part_bytes = 1000;
    code.line_table_bytes = 3000;
    broken_ref = fake_code(&writer, &code);
    broken = record_of(&writer, broken_ref);
    broken->line_table_bytes += 1;
    read_slot(0);
    EXPECT(cprof_log_line_table(&view, ref, assembled) == sizeof(table));
    EXPECT(cprof_log_line_table(&view, broken_ref, assembled) == 0 && view.rejected == 1);
    for (unsigned i = 0; i < 100; i++) {
        EXPECT(cprof_log_line_table(&view, broken_ref, assembled) == 0);
    }
    EXPECT(view.rejected <= 1 + view.byte_count / 3000);
    EXPECT(cprof_log_line_table(&view, ref, assembled) == 0);
    end_test();
}

int main(void)
{
    RUN(an_untouched_slot_is_empty);
    RUN(what_was_written_is_read);
    RUN(a_log_that_is_full_is_read_to_its_end);
    RUN(chunks_that_were_never_written_are_read_without_making_their_pages);
    RUN(a_record_may_name_one_in_a_later_chunk);
    RUN(a_process_that_wrote_behind_the_part_that_is_copied_is_a_successor_as_well);
    RUN(what_names_a_record_behind_the_part_that_is_copied_is_summed_up);
    RUN(a_sample_in_flight_does_not_count);
    RUN(off_the_cpu_the_weight_decides);
    RUN(a_state_that_is_none_is_unknown);
    RUN(a_thread_is_known_by_its_first_tag);
    RUN(a_successor_is_noticed);
    RUN(a_slot_of_another_epoch_gives_nothing);
    RUN(a_claim_beyond_the_log_is_cut);
    RUN(what_makes_no_sense_is_rejected_and_counted);
    RUN(a_ring_of_tags_ends);
    RUN(a_line_table_in_parts_is_put_together);
    RUN(a_ring_of_line_table_parts_ends);
    RUN(line_tables_may_not_be_larger_than_the_log_in_all);
    RUN(line_tables_that_end_in_nothing_are_not_put_together_for_ever);
    return 0;
}
