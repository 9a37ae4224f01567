/* test_walker_by_hand.c - frames laid out by hand, for what a real interpreter shows too rarely
 * or never; test_walker.c walks real ones. See plugin/python/walker.h.
 *
 * sources: plugin/python/walker.c plugin/python/peek.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/python/walker.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "expect.h"

#define FRAMES    8u
#define DEPTH_MAX 6u

#define OWNER_THREAD    0u
#define OWNER_GENERATOR 1u
#define OWNER_C         3u

#define EVAL_START   UINT64_C(0x555500000000)
#define ENTRY_BYTES  256u
#define ELSEWHERE    UINT64_C(0x666600000000)
#define CODE(number) (UINT64_C(0x777700000000) + (number)*4096)
#define BYTECODE     128u /* from the start of a code object */

struct fake_frame {
    uint64_t locals;
    struct fake_frame *previous;
    uintptr_t instruction;
    uintptr_t code;
    uint8_t padding[5];
    uint8_t owner;
    uint8_t rest[2];
};

struct fake_state {
    uint64_t head_of_something;
    struct fake_frame *current;
};

static struct cprof_python python;
static struct fake_frame frames[FRAMES];
static struct fake_frame base; /* what the evaluation loop puts under those that it runs */
static struct fake_state state;

static struct cprof_raw_frame walked[DEPTH_MAX];
static uint32_t depth;
static bool truncated;

/* Frame 0 is the innermost; frame i runs code i at offset 2 * i + 10. As CPython 3.12 has it. */
static void begin(uint32_t count)
{
    python = (struct cprof_python){
        .layout =
            {
                .head = CPROF_HEAD_DIRECT,
                .links_late = true,
                .entry_window_bytes = ENTRY_BYTES,
                .tstate_head = offsetof(struct fake_state, current),
                .frame_bytes = sizeof(struct fake_frame),
                .frame_code = offsetof(struct fake_frame, code),
                .frame_previous = offsetof(struct fake_frame, previous),
                .frame_instruction = offsetof(struct fake_frame, instruction),
                .frame_owner = offsetof(struct fake_frame, owner),
                .owner_generator = OWNER_GENERATOR,
                .owner_not_python = OWNER_C,
                .code_bytecode = BYTECODE,
            },
        .eval_start = EVAL_START,
    };
    memset(frames, 0, sizeof(frames));
    base = (struct fake_frame){.owner = OWNER_C};
    for (uint32_t i = 0; i < count; i++) {
        frames[i] = (struct fake_frame){
            .previous = i + 1 < count ? &frames[i + 1] : &base,
            .code = CODE(i),
            .instruction = CODE(i) + BYTECODE + 2 * i + 10,
            .padding = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
            .owner = OWNER_THREAD,
            .rest = {0xFF, 0xFF},
        };
    }
    state = (struct fake_state){.current = count ? &frames[0] : NULL};
}

static enum cprof_walk walk_at(uintptr_t pc)
{
    return cprof_walk(&python, CPROF_PEEK_DIRECT, (uintptr_t)&state, pc, walked, DEPTH_MAX, &depth,
                      &truncated);
}

static enum cprof_walk walk(void)
{
    return walk_at(ELSEWHERE);
}

static void set_offset(uint32_t frame, int64_t byte_offset)
{
    frames[frame].instruction = frames[frame].code + BYTECODE + (uintptr_t)byte_offset;
}

static void a_state_without_frames_is_an_empty_stack(void)
{
    begin(0);
    EXPECT(walk() == CPROF_WALK_DONE && depth == 0 && !truncated);
}

static void frames_come_innermost_first(void)
{
    begin(4);
    EXPECT(walk() == CPROF_WALK_DONE && depth == 4 && !truncated);
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT(walked[i].code == CODE(i) && walked[i].byte_offset == (int32_t)(2 * i + 10));
        EXPECT(walked[i].owner == 0);
    }
}

static void a_generators_frame_is_marked(void)
{
    begin(3);
    frames[1].owner = OWNER_GENERATOR;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
    EXPECT(walked[0].owner == 0 && walked[1].owner == 1 && walked[2].owner == 0);
}

static void frames_of_c_are_left_out(void)
{
    begin(5);
    frames[0].owner = OWNER_C;
    frames[3].owner = OWNER_C + 1;
    frames[3].code = 1; /* whatever stands there */
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
    EXPECT(walked[0].code == CODE(1) && walked[1].code == CODE(2) && walked[2].code == CODE(4));
}

static void a_stack_as_deep_as_allowed_is_whole_and_a_deeper_one_truncated(void)
{
    begin(DEPTH_MAX);
    EXPECT(walk() == CPROF_WALK_DONE && depth == DEPTH_MAX && !truncated);
    begin(DEPTH_MAX + 1);
    EXPECT(walk() == CPROF_WALK_DONE && depth == DEPTH_MAX && truncated);
    EXPECT(walked[0].code == CODE(0) && walked[DEPTH_MAX - 1].code == CODE(DEPTH_MAX - 1));
}

static void a_ring_of_frames_ends(void)
{
    begin(3);
    frames[2].previous = &frames[0];
    EXPECT(walk() == CPROF_WALK_DONE && depth == DEPTH_MAX && truncated);
    for (uint32_t i = 0; i < 3; i++) {
        frames[i].owner = OWNER_C;
    }
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

static void an_innermost_frame_that_has_not_started_is_refused_where_links_come_late(void)
{
    begin(3);
    set_offset(0, -2);
    EXPECT(walk() == CPROF_WALK_STARTING);
    python.layout.links_late = false;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3 && walked[0].byte_offset == -2);
}

static void a_chain_that_ends_in_a_python_frame_is_refused_where_links_come_late(void)
{
    begin(3);
    frames[2].previous = NULL;
    EXPECT(walk() == CPROF_WALK_STARTING);
    frames[0].owner = OWNER_GENERATOR; /* being resumed: linked to nothing yet */
    frames[0].previous = NULL;
    EXPECT(walk() == CPROF_WALK_STARTING);

    frames[0].previous = &base;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 1 && walked[0].owner == 1);
}

static void a_chain_may_end_in_a_python_frame_where_the_loop_puts_none_below(void)
{
    begin(3);
    frames[2].previous = NULL;
    python.layout.owner_not_python = UINT8_MAX; /* 3.11 */
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
    python.layout.owner_not_python = OWNER_C; /* 3.13 */
    python.layout.links_late = false;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
}

static void an_outer_frame_that_has_not_started_is_no_reason_to_refuse(void)
{
    begin(3);
    set_offset(1, -2);
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3 && walked[1].byte_offset == -2);
}

static void the_entry_of_the_evaluation_loop_is_refused_where_links_come_late(void)
{
    begin(1);
    EXPECT(walk_at(EVAL_START) == CPROF_WALK_ENTRY && depth == 0);
    EXPECT(walk_at(EVAL_START + ENTRY_BYTES - 1) == CPROF_WALK_ENTRY);
    EXPECT(walk_at(EVAL_START + ENTRY_BYTES) == CPROF_WALK_DONE);
    EXPECT(walk_at(EVAL_START - 1) == CPROF_WALK_DONE);
    python.layout.links_late = false;
    EXPECT(walk_at(EVAL_START) == CPROF_WALK_DONE);
}

static void an_instruction_outside_its_code_object_is_refused(void)
{
    static const int64_t bad[] = {-4, -1000, 64 * 1024 * 1024, INT64_C(1) << 40};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(3);
        set_offset(1, bad[i]);
        EXPECT(walk() == CPROF_WALK_UNREADABLE);
    }
    begin(3);
    frames[1].instruction = 0;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

static void what_can_be_no_code_object_is_refused(void)
{
    begin(3);
    frames[2].code = 0;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
    begin(3);
    frames[2].code += 4;
    frames[2].instruction += 4;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

static void tag_bits_are_no_part_of_a_code_objects_address(void)
{
    begin(3);
    python.layout.code_tag_mask = 3;
    frames[0].code |= 1;
    frames[2].code |= 3;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(walked[i].code == CODE(i) && walked[i].byte_offset == (int32_t)(2 * i + 10));
    }

    frames[1].code |= 4;
    frames[1].instruction |= 4;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
    frames[1].code = 3; /* a tag and nothing else */
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

static void a_bit_of_the_address_is_no_tag_where_there_are_none(void)
{
    begin(1);
    frames[0].code |= 1;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

/* Frames as CPython has them up to 3.10: objects that start with a reference count, have no
 * owner and keep an index of 32 bits, beside which something else stands. */
static void begin_with_frame_objects(enum cprof_instruction_kind kind, uint32_t count)
{
    begin(count);
    python.layout.links_late = false;
    python.layout.instruction = (uint8_t)kind;
    python.layout.frame_owner = 0;
    python.layout.owner_generator = 0;
    python.layout.owner_not_python = UINT8_MAX;
    for (uint32_t i = 0; i < count; i++) {
        frames[i].locals = 255 - i; /* the reference count */
    }
    frames[count - 1].previous = NULL;
}

static void set_index(uint32_t frame, int32_t index)
{
    frames[frame].instruction = UINT64_C(0x12345678) << 32 | (uint32_t)index;
}

static void frame_objects_are_complete_whatever_their_reference_count_is(void)
{
    begin_with_frame_objects(CPROF_INSTRUCTION_INDEX_BYTES, 4);
    for (uint32_t i = 0; i < 4; i++) {
        set_index(i, 4);
    }
    EXPECT(walk() == CPROF_WALK_DONE && depth == 4 && !truncated);
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT(walked[i].code == CODE(i) && walked[i].owner == 1);
    }
}

static void an_index_in_bytes_is_the_offset(void)
{
    static const int32_t indexes[] = {-1, 0, 2, 70000, 64 * 1024 * 1024 - 1};

    begin_with_frame_objects(CPROF_INSTRUCTION_INDEX_BYTES, 5);
    for (uint32_t i = 0; i < 5; i++) {
        set_index(i, indexes[i]);
    }
    EXPECT(walk() == CPROF_WALK_DONE && depth == 5);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT(walked[i].byte_offset == indexes[i]);
    }
}

static void an_index_in_units_is_half_the_offset(void)
{
    static const int32_t indexes[] = {-1, 0, 1, 35000, 32 * 1024 * 1024 - 1};

    begin_with_frame_objects(CPROF_INSTRUCTION_INDEX_UNITS, 5);
    for (uint32_t i = 0; i < 5; i++) {
        set_index(i, indexes[i]);
    }
    EXPECT(walk() == CPROF_WALK_DONE && depth == 5);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT(walked[i].byte_offset == 2 * indexes[i]);
    }
}

static void an_index_outside_its_code_object_is_refused(void)
{
    static const int32_t bad[] = {-3, -4, 64 * 1024 * 1024, INT32_MAX, INT32_MIN};
    static const enum cprof_instruction_kind kinds[] = {CPROF_INSTRUCTION_INDEX_BYTES,
                                                        CPROF_INSTRUCTION_INDEX_UNITS};

    for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
        begin_with_frame_objects(kinds[i % 2], 2);
        set_index(0, 0);
        set_index(1, bad[i / 2]);
        EXPECT(walk() == CPROF_WALK_UNREADABLE);
    }
}

static void a_link_to_nowhere_is_refused(void)
{
    begin(3);
    frames[1].previous = (void *)ELSEWHERE;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
    state.current = (void *)ELSEWHERE;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

static void a_frame_that_ends_behind_readable_memory_is_refused(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct fake_frame *last;

    EXPECT(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
    last = (void *)(pages + page - sizeof(*last));
    begin(3);
    *last = frames[2];
    frames[1].previous = last;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 3);
    frames[1].previous = (void *)((uint8_t *)last + 8);
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
    EXPECT(munmap(pages, 2 * page) == 0);
}

static void the_head_may_lead_through_another_structure(void)
{
    struct {
        uint64_t flags;
        struct fake_frame *current;
    } cframe = {.current = &frames[0]};

    begin(2);
    python.layout.head = CPROF_HEAD_CFRAME;
    python.layout.cframe_current_frame = 8;
    state.current = (void *)&cframe;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 2 && walked[1].code == CODE(1));
    cframe.current = NULL;
    EXPECT(walk() == CPROF_WALK_DONE && depth == 0);
    state.current = (void *)ELSEWHERE;
    EXPECT(walk() == CPROF_WALK_UNREADABLE);
}

int main(void)
{
    cprof_peek_install();
    RUN(a_state_without_frames_is_an_empty_stack);
    RUN(frames_come_innermost_first);
    RUN(a_generators_frame_is_marked);
    RUN(frames_of_c_are_left_out);
    RUN(a_stack_as_deep_as_allowed_is_whole_and_a_deeper_one_truncated);
    RUN(a_ring_of_frames_ends);
    RUN(an_innermost_frame_that_has_not_started_is_refused_where_links_come_late);
    RUN(a_chain_that_ends_in_a_python_frame_is_refused_where_links_come_late);
    RUN(a_chain_may_end_in_a_python_frame_where_the_loop_puts_none_below);
    RUN(an_outer_frame_that_has_not_started_is_no_reason_to_refuse);
    RUN(the_entry_of_the_evaluation_loop_is_refused_where_links_come_late);
    RUN(an_instruction_outside_its_code_object_is_refused);
    RUN(what_can_be_no_code_object_is_refused);
    RUN(tag_bits_are_no_part_of_a_code_objects_address);
    RUN(a_bit_of_the_address_is_no_tag_where_there_are_none);
    RUN(frame_objects_are_complete_whatever_their_reference_count_is);
    RUN(an_index_in_bytes_is_the_offset);
    RUN(an_index_in_units_is_half_the_offset);
    RUN(an_index_outside_its_code_object_is_refused);
    RUN(a_link_to_nowhere_is_refused);
    RUN(a_frame_that_ends_behind_readable_memory_is_refused);
    RUN(the_head_may_lead_through_another_structure);
    return 0;
}
