/* test_recorder.c - see plugin/record/recorder.h.
 *
 * sources: plugin/record/known_text.c
 * sources: plugin/record/recorder.c plugin/record/intern.c plugin/python/code_object.c
 * sources: plugin/python/text.c plugin/python/peek.c
 * sources: tests/unit/recorder_fixture.c tests/unit/fake_python.c tests/unit/fake_log.c
 * sources: plugin/tags/tag_values.c
 * flags: -Wl,--wrap=cprof_text_copy -Wl,--wrap=cprof_intern_add_lasting
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/record/recorder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../plugin/python/text.h"
#include "expect.h"
#include "recorder_fixture.h"

#define LOG_BYTES UINT64_C(1048576)
#define MAX_DEPTH 64u

static struct recorder_fixture fixture;
static struct cprof_context *context;
static struct fake_code_object *leaf, *root;
static struct cprof_log_view view;

/* Whose death is told in the middle of the next copy of a text; NULL: nobody's. */
static const struct fake_code_object *dies_while_read;

uint32_t __real_cprof_text_copy(const struct cprof_python_layout *layout, enum cprof_peek_way way,
                                uintptr_t address, char *to, uint32_t to_bytes);
uint32_t __wrap_cprof_text_copy(const struct cprof_python_layout *layout, enum cprof_peek_way way,
                                uintptr_t address, char *to, uint32_t to_bytes);

uint32_t __wrap_cprof_text_copy(const struct cprof_python_layout *layout, enum cprof_peek_way way,
                                uintptr_t address, char *to, uint32_t to_bytes)
{
    const struct fake_code_object *dying = dies_while_read;

    dies_while_read = NULL;
    if (dying) {
        cprof_recorder_retire(&fixture.recorder, fake_code_address(dying));
    }
    return __real_cprof_text_copy(layout, way, address, to, to_bytes);
}

/* Whose death is told after it was asked for and before its entry stands; NULL: nobody's. */
static const struct fake_code_object *dies_before_added;

bool __real_cprof_intern_add_lasting(const struct cprof_intern_table *table, uint64_t key,
                                     uint32_t ref, uint32_t note);
bool __wrap_cprof_intern_add_lasting(const struct cprof_intern_table *table, uint64_t key,
                                     uint32_t ref, uint32_t note);

bool __wrap_cprof_intern_add_lasting(const struct cprof_intern_table *table, uint64_t key,
                                     uint32_t ref, uint32_t note)
{
    if (dies_before_added && fake_code_address(dies_before_added) == key) {
        dies_before_added = NULL;
        cprof_recorder_retire(&fixture.recorder, key);
    }
    return __real_cprof_intern_add_lasting(table, key, ref, note);
}

static void begin_with(uint64_t log_bytes)
{
    recorder_fixture_begin(&fixture, log_bytes, MAX_DEPTH);
    context = cprof_context_acquire(&fixture.recorder);
    EXPECT(context);
    leaf = fake_code_object_create("leaf", 10, 100);
    root = fake_code_object_create("root", 20, 100);
}

static void begin(void)
{
    begin_with(LOG_BYTES);
}

static void end(void)
{
    fake_code_object_free(leaf);
    fake_code_object_free(root);
    recorder_fixture_end(&fixture);
}

/* leaf called by root. */
static enum cprof_recorded record_two_frames(int32_t leaf_offset, uint64_t weight_ns)
{
    recorder_fixture_frame(context, 0, leaf, leaf_offset);
    recorder_fixture_frame(context, 1, root, 32);
    return recorder_fixture_sample(&fixture, context, 2, weight_ns);
}

static const _Atomic uint64_t *counters(void)
{
    return cprof_segment_slot(&fixture.segment, 0)->counters;
}

static void read_log(void)
{
    recorder_fixture_read(&fixture, FIXTURE_EPOCH, &view);
}

static void a_stack_is_written_once_and_counted(void)
{
    const struct cprof_stack_record *stack;

    begin();
    for (uint64_t i = 0; i < 100; i++) {
        EXPECT(record_two_frames(16, 10 + i) == CPROF_RECORDED);
    }

    read_log();
    EXPECT(view.stack_count == 1);
    stack = cprof_log_stack(&view, view.stacks[0]);
    EXPECT(atomic_load(&stack->count) == 100);
    EXPECT(atomic_load(&stack->weight_ns) == 100 * 10 + 99 * 100 / 2);
    EXPECT(stack->kind == CPROF_STACK_ON_CPU && stack->flags == 0 &&
           stack->tag_ref == CPROF_NO_REF);
    EXPECT(stack->depth == 2);
    EXPECT(stack->frames[0].byte_offset == 16 && stack->frames[1].byte_offset == 32);
    cprof_log_view_reset(&view);
    end();
}

static void a_code_object_arrives_with_all_its_texts(void)
{
    struct cprof_log_code code;

    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);

    read_log();
    cprof_log_code(&view, cprof_log_stack(&view, view.stacks[0])->frames[0].code_ref, &code);
    EXPECT(strcmp(code.name, "leaf") == 0 && strcmp(code.qualified_name, "Fake.leaf") == 0);
    EXPECT(strcmp(code.file, "/fake/leaf.py") == 0 && code.first_line == 10);
    EXPECT(code.line_format == CPROF_LINES_TABLE_311);
    cprof_log_code(&view, cprof_log_stack(&view, view.stacks[0])->frames[1].code_ref, &code);
    EXPECT(strcmp(code.name, "root") == 0 && code.first_line == 20);
    cprof_log_view_reset(&view);
    end();
}

/* Records a code object with such a line table; returns the number of bytes read back. */
static size_t line_table_of(uint32_t bytes, struct cprof_log_code *code)
{
    static uint8_t table[CPROF_LINE_TABLE_BYTES_MAX];
    struct fake_code_object *object;
    size_t read_back;
    uint32_t ref;

    begin();
    object = fake_code_object_create("long", 5, bytes);
    recorder_fixture_frame(context, 0, object, 8);
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED);
    read_log();
    ref = cprof_log_stack(&view, view.stacks[0])->frames[0].code_ref;
    cprof_log_code(&view, ref, code);
    read_back = cprof_log_line_table(&view, ref, table);
    for (uint32_t i = 0; i < read_back; i++) {
        EXPECT(table[i] == fake_line_byte(i));
    }
    EXPECT(view.counters[CPROF_COUNTER_LINES_LEFT_OUT] == (bytes > CPROF_LINE_TABLE_BYTES_MAX));
    cprof_log_view_reset(&view);
    fake_code_object_free(object);
    end();
    return read_back;
}

static void a_line_table_arrives_whole_whatever_its_length(void)
{
    static const uint32_t lengths[] = {1, CPROF_LINES_PART_BYTES_MAX,
                                       CPROF_LINES_PART_BYTES_MAX + 1, 50000,
                                       CPROF_LINE_TABLE_BYTES_MAX};
    struct cprof_log_code code;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        EXPECT(line_table_of(lengths[i], &code) == lengths[i]);
        EXPECT(code.line_format == CPROF_LINES_TABLE_311);
    }
}

static void an_absurd_line_table_is_left_out_and_the_first_line_stays(void)
{
    struct cprof_log_code code;

    EXPECT(line_table_of(CPROF_LINE_TABLE_BYTES_MAX + 1, &code) == 0);
    EXPECT(code.line_format == CPROF_LINES_NONE && code.first_line == 5);
    EXPECT(line_table_of(0, &code) == 0);
    EXPECT(code.line_format == CPROF_LINES_NONE && code.first_line == 5);
}

static void stacks_that_differ_anywhere_are_told_apart(void)
{
    struct cprof_sample sample = {.depth = 2, .weight_ns = 1, .kind = CPROF_STACK_ON_CPU};

    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    EXPECT(record_two_frames(18, 1) == CPROF_RECORDED);
    recorder_fixture_frame(context, 0, leaf, 16);
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED);
    recorder_fixture_frame(context, 0, root, 32);
    recorder_fixture_frame(context, 1, leaf, 16);
    EXPECT(recorder_fixture_sample(&fixture, context, 2, 1) == CPROF_RECORDED);
    sample.flags = CPROF_STACK_TRUNCATED;
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
    sample.tag_ref = cprof_record_tag(context, CPROF_NO_REF, "thread", "core 1");
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 6);
    for (size_t i = 0; i < view.stack_count; i++) {
        EXPECT(atomic_load(&cprof_log_stack(&view, view.stacks[i])->count) == 1);
    }
    cprof_log_view_reset(&view);
    end();
}

static void a_tick_that_is_no_sample_leaves_its_weight_alone(void)
{
    struct cprof_sample sample = {.depth = 2, .timer_weight_ns = 5, .kind = CPROF_STACK_ON_CPU};
    const struct cprof_stack_record *stack;

    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 1);
    stack = cprof_log_stack(&view, view.stacks[0]);
    EXPECT(atomic_load(&stack->count) == 1 && atomic_load(&stack->weight_ns) == 1);
    EXPECT(atomic_load(&stack->timer_weight_ns) == 5);
    cprof_log_view_reset(&view);
    end();
}

static void tags_arrive_as_a_chain(void)
{
    struct cprof_sample sample = {.weight_ns = 1, .kind = CPROF_STACK_ON_CPU};
    struct cprof_log_tag tag;
    uint32_t ref;

    begin();
    ref = cprof_record_tag(context, CPROF_NO_REF, "thread", "core 1");
    sample.tag_ref = cprof_record_tag(context, ref, "state", "");
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);

    read_log();
    ref = cprof_log_tag(&view, cprof_log_stack(&view, view.stacks[0])->tag_ref, &tag);
    EXPECT(strcmp(tag.key, "state") == 0 && strcmp(tag.value, "") == 0);
    ref = cprof_log_tag(&view, ref, &tag);
    EXPECT(strcmp(tag.key, "thread") == 0 && strcmp(tag.value, "core 1") == 0);
    EXPECT(ref == CPROF_NO_REF);
    cprof_log_view_reset(&view);
    end();
}

static uint32_t tag_of(const char *key, const char *value)
{
    return cprof_tag_intern(cprof_tag_key(key, strlen(key)), value, strlen(value));
}

static void tags_of_the_moment_stand_behind_those_of_the_thread(void)
{
    struct cprof_tag_list tags = {0};
    struct cprof_sample sample = {.weight_ns = 1, .kind = CPROF_STACK_ON_CPU, .tags = &tags};
    struct cprof_log_tag tag;
    uint32_t ref, route_ref;

    begin();
    EXPECT(cprof_tag_values_create());
    sample.tag_ref = cprof_record_tag(context, CPROF_NO_REF, "thread", "core 1");
    tags = (struct cprof_tag_list){.count = 2,
                                   .ids = {tag_of("route", "/users/:id"), tag_of("user", "one")}};
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
    tags.ids[1] = tag_of("user", "two");
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 2);
    EXPECT(atomic_load(&cprof_log_stack(&view, view.stacks[0])->count) == 2);
    ref = cprof_log_tag(&view, cprof_log_stack(&view, view.stacks[0])->tag_ref, &tag);
    EXPECT(strcmp(tag.key, "user") == 0 && strcmp(tag.value, "one") == 0);
    route_ref = ref;
    ref = cprof_log_tag(&view, ref, &tag);
    EXPECT(strcmp(tag.key, "route") == 0 && strcmp(tag.value, "/users/:id") == 0);
    /* The part that both have was written once. */
    EXPECT(cprof_log_tag(&view, cprof_log_stack(&view, view.stacks[1])->tag_ref, &tag) ==
           route_ref);
    EXPECT(strcmp(tag.value, "two") == 0);
    ref = cprof_log_tag(&view, ref, &tag);
    EXPECT(strcmp(tag.key, "thread") == 0 && ref == CPROF_NO_REF);
    EXPECT(atomic_load(&fixture.recorder.slot->counters[CPROF_COUNTER_TAG_OVERFLOWS]) == 0);
    cprof_log_view_reset(&view);
    end();
}

static void samples_with_other_and_those_that_lack_a_tag_are_counted(void)
{
    struct cprof_tag_list tags = {0};
    struct cprof_sample sample = {.weight_ns = 1, .kind = CPROF_STACK_ON_CPU, .tags = &tags};
    struct cprof_log_tag tag;

    begin();
    tags = (struct cprof_tag_list){.count = 2,
                                   .ids = {cprof_tag_other_of(tag_of("route", "/")), UINT32_MAX}};
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
    tags.lacks_one = true;
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);

    read_log();
    EXPECT(view.counters[CPROF_COUNTER_TAG_OVERFLOWS] == 3 &&
           view.counters[CPROF_COUNTER_TAGS_LOST] == 1);
    EXPECT(cprof_log_tag(&view, cprof_log_stack(&view, view.stacks[0])->tag_ref, &tag) ==
           CPROF_NO_REF);
    EXPECT(strcmp(tag.key, "route") == 0 && strcmp(tag.value, CPROF_TAG_OTHER) == 0);
    cprof_log_view_reset(&view);
    end();
}

static void a_stack_without_frames_counts_too(void)
{
    begin();
    EXPECT(recorder_fixture_sample(&fixture, context, 0, 5) == CPROF_RECORDED);
    EXPECT(recorder_fixture_sample(&fixture, context, 0, 6) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 1);
    EXPECT(cprof_log_stack(&view, view.stacks[0])->depth == 0);
    EXPECT(atomic_load(&cprof_log_stack(&view, view.stacks[0])->weight_ns) == 11);
    cprof_log_view_reset(&view);
    end();
}

static void a_frame_that_is_still_set_up_is_left_out_unless_it_is_a_generators(void)
{
    begin();
    EXPECT(record_two_frames(FAKE_FIRST_TRACEABLE_BYTE - 2, 1) == CPROF_RECORDED);
    EXPECT(record_two_frames(-2, 1) == CPROF_RECORDED);
    recorder_fixture_frame(context, 0, leaf, -2);
    context->raw[0].owner = 1;
    EXPECT(recorder_fixture_sample(&fixture, context, 2, 1) == CPROF_RECORDED);
    EXPECT(record_two_frames(FAKE_FIRST_TRACEABLE_BYTE, 1) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 3);
    EXPECT(recorder_fixture_count(&view, "root") == 2); /* one stack: root alone */
    EXPECT(recorder_fixture_count(&view, "leaf") == 2);
    cprof_log_view_reset(&view);
    end();
}

static void the_deepest_stack_arrives_in_order(void)
{
    const struct cprof_stack_record *stack;

    begin();
    for (uint32_t i = 0; i < MAX_DEPTH; i++) {
        recorder_fixture_frame(context, i, i % 2 ? leaf : root, (int32_t)(8 + 2 * i));
    }
    EXPECT(recorder_fixture_sample(&fixture, context, MAX_DEPTH, 1) == CPROF_RECORDED);

    read_log();
    stack = cprof_log_stack(&view, view.stacks[0]);
    EXPECT(stack->depth == MAX_DEPTH);
    for (uint32_t i = 0; i < MAX_DEPTH; i++) {
        EXPECT(stack->frames[i].byte_offset == (int32_t)(8 + 2 * i));
        EXPECT(stack->frames[i].code_ref == stack->frames[i % 2].code_ref);
    }
    cprof_log_view_reset(&view);
    end();
}

static void what_is_no_code_object_is_counted_nowhere(void)
{
    begin();
    fake_code_object_spoil(leaf);
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED_UNREADABLE);
    context->raw[0].code = 8;
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED_UNREADABLE);

    read_log();
    EXPECT(view.stack_count == 0 && view.counters[CPROF_COUNTER_LOG_FULL] == 0);
    cprof_log_view_reset(&view);
    end();
}

/* Lets leaf's line table end after `readable` of its bytes, at a page that cannot be read. The
 * pages are left to the end of the process: they are few. */
static void cut_line_table_of_leaf(size_t readable, uint64_t bytes)
{
    size_t room = FAKE_BYTES_HEAD_BYTES + readable;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (room + page - 1) / page * page;
    uint8_t *memory =
        mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(memory != MAP_FAILED && readable % 8 == 0);
    EXPECT(mprotect(memory + pages, page, PROT_NONE) == 0);
    fake_code_object_set_line_table(leaf, memory + pages - room, bytes);
}

static void a_line_table_that_cannot_be_read_is_counted_nowhere(void)
{
    static const size_t readable[] = {0, 800, CPROF_LINES_PART_BYTES_MAX};

    for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++) {
        begin();
        cut_line_table_of_leaf(readable[i], readable[i] + 1);
        EXPECT(record_two_frames(16, 1) == CPROF_RECORDED_UNREADABLE);

        read_log();
        EXPECT(view.stack_count == 0 && view.counters[CPROF_COUNTER_LOG_FULL] == 0 &&
               view.counters[CPROF_COUNTER_LOG_FULL_NS] == 0);
        cprof_log_view_reset(&view);
        end();
    }
}

static void a_version_without_qualified_names_gives_none(void)
{
    struct cprof_python old_python = fake_python;
    struct cprof_log_code code;

    old_python.layout.code_qualified_name = 0;
    old_python.layout.code_first_traceable = 0;
    old_python.layout.line_format = CPROF_LINES_LNOTAB;
    begin();
    fixture.recorder.python = &old_python;
    EXPECT(record_two_frames(0, 1) == CPROF_RECORDED);

    read_log();
    EXPECT(cprof_log_stack(&view, view.stacks[0])->depth == 2);
    cprof_log_code(&view, cprof_log_stack(&view, view.stacks[0])->frames[0].code_ref, &code);
    EXPECT(strcmp(code.name, "leaf") == 0 && code.qualified_name[0] == '\0');
    EXPECT(strcmp(code.file, "/fake/leaf.py") == 0 && code.line_format == CPROF_LINES_LNOTAB);
    cprof_log_view_reset(&view);
    end();
}

static void a_known_stack_is_counted_without_reading_its_code_objects(void)
{
    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    fake_code_object_spoil(leaf);
    fake_code_object_spoil(root);
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    end();
}

static void a_retired_address_gets_the_name_of_its_new_code_object(void)
{
    char name[32];

    begin();
    for (uint32_t i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof(name), "life_%u", i);
        fake_code_object_rename(leaf, name);
        for (uint32_t j = 0; j <= i; j++) {
            EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
        }
        cprof_recorder_retire(&fixture.recorder, fake_code_address(leaf));
    }

    read_log();
    for (uint32_t i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof(name), "life_%u", i);
        EXPECT(recorder_fixture_count(&view, name) == i + 1);
    }
    cprof_log_view_reset(&view);
    end();
}

static void a_death_elsewhere_does_not_write_a_stack_twice(void)
{
    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    recorder_fixture_frame(context, 0, root, 8);
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED);
    recorder_fixture_frame(context, 0, leaf, 8);
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED);
    cprof_recorder_retire(&fixture.recorder, fake_code_address(leaf));
    recorder_fixture_frame(context, 0, root, 8);
    EXPECT(recorder_fixture_sample(&fixture, context, 1, 1) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 3 && recorder_fixture_count(&view, "root") == 2);
    cprof_log_view_reset(&view);
    end();
}

static void the_death_of_an_unknown_code_object_changes_nothing(void)
{
    uint32_t generation;

    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    generation = atomic_load(&fixture.recorder.generation);
    cprof_recorder_retire(&fixture.recorder, 4096);
    EXPECT(atomic_load(&fixture.recorder.generation) == generation);
    end();
}

/* Records new stacks until there is no room for one; returns how many had room. */
static uint32_t fill_log(void)
{
    for (uint32_t i = 0;; i++) {
        for (uint32_t j = 0; j < MAX_DEPTH; j++) {
            recorder_fixture_frame(context, j, leaf, (int32_t)(8 + 2 * (i >> (j % 16) & 1)));
        }
        recorder_fixture_frame(context, 0, leaf, (int32_t)(8 + 2 * i));
        if (recorder_fixture_sample(&fixture, context, MAX_DEPTH, 3) != CPROF_RECORDED) {
            return i;
        }
        EXPECT(i < 100000);
    }
}

static void a_full_log_counts_new_stacks_apart_and_known_ones_as_before(void)
{
    struct fake_code_object *unknown;
    uint32_t stacks;

    begin_with(CPROF_LOG_BYTES_MIN);
    EXPECT(record_two_frames(16, 7) == CPROF_RECORDED);
    stacks = fill_log();
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LOG_FULL]) == 1);
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LOG_FULL_NS]) == 3);

    for (uint32_t i = 0; i < 10; i++) {
        EXPECT(record_two_frames(16, 7) == CPROF_RECORDED);
        unknown = fake_code_object_create("unknown", 1, 20000);
        recorder_fixture_frame(context, 0, unknown, 8);
        EXPECT(recorder_fixture_sample(&fixture, context, 1, 5) == CPROF_RECORDED_LOG_FULL);
        fake_code_object_free(unknown);
    }
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LOG_FULL]) == 11);
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LOG_FULL_NS]) == 3 + 50);

    read_log();
    EXPECT(view.stack_count == stacks + 1 && view.counters[CPROF_COUNTER_LOG_FULL] == 11);
    cprof_log_view_reset(&view);
    end();
}

/* leaf called by root, off the CPU: found as a stack that was read from outside. */
static enum cprof_recorded find_two_frames(uint32_t *ref)
{
    struct cprof_sample sample = {
        .depth = 2, .kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_SLEEP};

    recorder_fixture_frame(context, 0, leaf, 16);
    recorder_fixture_frame(context, 1, root, 32);
    return cprof_record_find(&fixture.recorder, context, &sample, ref);
}

static void a_stack_that_is_found_is_counted_by_what_is_added(void)
{
    const struct cprof_stack_record *stack;
    uint32_t ref, again;

    begin();
    cprof_record_expect(&fixture.recorder, context);
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED && ref != CPROF_NO_REF);
    EXPECT(find_two_frames(&again) == CPROF_RECORDED && again == ref);
    stack = cprof_log_record(fixture.recorder.log, ref);
    EXPECT(atomic_load(&stack->count) == 0 && atomic_load(&stack->weight_ns) == 0);
    EXPECT(cprof_record_add(&fixture.recorder, ref, 100, 1) == 100);
    EXPECT(cprof_record_add(&fixture.recorder, ref, 50, 0) == 50);

    read_log();
    EXPECT(view.stack_count == 1);
    stack = cprof_log_stack(&view, view.stacks[0]);
    EXPECT(atomic_load(&stack->count) == 1 && atomic_load(&stack->weight_ns) == 150);
    EXPECT(stack->kind == CPROF_STACK_OFF_CPU && stack->state == CPROF_STATE_SLEEP);
    cprof_log_view_reset(&view);
    end();
}

static void a_weight_can_be_taken_back_but_not_below_nothing(void)
{
    const struct cprof_stack_record *stack;
    uint32_t ref;

    begin();
    cprof_record_expect(&fixture.recorder, context);
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED);
    stack = cprof_log_record(fixture.recorder.log, ref);
    EXPECT(cprof_record_add(&fixture.recorder, ref, 100, 1) == 100);
    EXPECT(cprof_record_add(&fixture.recorder, ref, -30, 0) == -30);
    EXPECT(atomic_load(&stack->weight_ns) == 70 && atomic_load(&stack->count) == 1);
    EXPECT(cprof_record_add(&fixture.recorder, ref, -71, 0) == -70);
    EXPECT(atomic_load(&stack->weight_ns) == 0);
    EXPECT(cprof_record_add(&fixture.recorder, ref, -INT64_MAX, 0) == 0);
    EXPECT(atomic_load(&stack->weight_ns) == 0);
    EXPECT(cprof_record_add(&fixture.recorder, ref, 5, 1) == 5);
    EXPECT(atomic_load(&stack->weight_ns) == 5 && atomic_load(&stack->count) == 2);
    end();
}

static void stacks_that_slept_elsewhere_are_told_apart(void)
{
    static const struct cprof_sample samples[] = {
        {.depth = 1, .kind = CPROF_STACK_ON_CPU},
        {.depth = 1, .kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_SLEEP},
        {.depth = 1, .kind = CPROF_STACK_OFF_CPU, .state = CPROF_STATE_GIL},
        {.depth = 1,
         .kind = CPROF_STACK_OFF_CPU,
         .state = CPROF_STATE_GIL,
         .flags = CPROF_STACK_TRUNCATED},
        {.depth = 0, .kind = CPROF_STACK_RUNNABLE},
    };
    uint32_t refs[sizeof(samples) / sizeof(samples[0])];

    begin();
    recorder_fixture_frame(context, 0, leaf, 16);
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        EXPECT(cprof_record_find(&fixture.recorder, context, &samples[i], &refs[i]) ==
               CPROF_RECORDED);
        for (size_t j = 0; j < i; j++) {
            EXPECT(refs[i] != refs[j]);
        }
    }
    end();
}

static uint64_t weight_of_leaf(const char *name)
{
    uint64_t weight_ns = 0;

    read_log();
    for (size_t i = 0; i < view.stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(&view, view.stacks[i]);
        struct cprof_log_code code;

        cprof_log_code(&view, stack->frames[0].code_ref, &code);
        weight_ns += strcmp(code.name, name) == 0 ? atomic_load(&stack->weight_ns) : 0;
    }
    cprof_log_view_reset(&view);
    return weight_ns;
}

/* Finds leaf under its present name and gives it a weight of 1. */
static void find_and_add(void)
{
    uint32_t ref;

    cprof_record_expect(&fixture.recorder, context);
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED);
    EXPECT(cprof_record_add(&fixture.recorder, ref, 1, 1) == 1);
}

static void a_death_between_walk_and_record_takes_the_stack_back(void)
{
    uint32_t ref = 1;

    begin();
    cprof_record_expect(&fixture.recorder, context);
    cprof_recorder_retire(&fixture.recorder, fake_code_address(leaf));
    fake_code_object_rename(leaf, "newer");
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED_UNREADABLE && ref == CPROF_NO_REF);
    read_log();
    EXPECT(view.stack_count == 0);
    cprof_log_view_reset(&view);

    find_and_add();
    EXPECT(weight_of_leaf("newer") == 1 && weight_of_leaf("leaf") == 0);
    end();
}

static void a_death_of_a_known_code_object_takes_the_stack_back(void)
{
    uint32_t ref;

    begin();
    find_and_add();
    cprof_record_expect(&fixture.recorder, context);
    cprof_recorder_retire(&fixture.recorder, fake_code_address(leaf));
    fake_code_object_rename(leaf, "newer");
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED_UNREADABLE && ref == CPROF_NO_REF);

    find_and_add();
    EXPECT(weight_of_leaf("leaf") == 1 && weight_of_leaf("newer") == 1);
    end();
}

static void any_death_makes_what_was_read_doubtful_once(void)
{
    uint32_t first, ref;

    begin();
    cprof_record_expect(&fixture.recorder, context);
    EXPECT(find_two_frames(&first) == CPROF_RECORDED);
    cprof_recorder_retire(&fixture.recorder, 4096); /* of an unknown one */
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED_UNREADABLE && ref == CPROF_NO_REF);
    find_and_add();
    find_and_add();
    EXPECT(weight_of_leaf("leaf") == 2);
    end();
}

/* `moment`: which of the two above says whose death it is, each code object's in turn. */
static void expect_no_entry_after_a_death(const struct fake_code_object **moment)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t ref;

        begin();
        cprof_record_expect(&fixture.recorder, context);
        *moment = i == 0 ? leaf : root;
        EXPECT(find_two_frames(&ref) == CPROF_RECORDED_UNREADABLE && ref == CPROF_NO_REF);
        EXPECT(!*moment);
        fake_code_object_rename(leaf, "newer");

        find_and_add();
        EXPECT(weight_of_leaf("newer") == 1 && weight_of_leaf("leaf") == 0);
        end();
    }
}

static void a_death_while_the_texts_are_copied_leaves_no_entry(void)
{
    expect_no_entry_after_a_death(&dies_while_read);
}

/* The hook finds no entry to retire, and the entry comes after it. */
static void a_death_just_before_an_entry_is_added_takes_the_entry_back(void)
{
    expect_no_entry_after_a_death(&dies_before_added);
}

static void deaths_do_not_matter_to_a_thread_that_reads_its_own_stack(void)
{
    begin();
    cprof_record_expect(&fixture.recorder, context);
    cprof_context_release(context);
    context = cprof_context_acquire(&fixture.recorder);
    cprof_recorder_retire(&fixture.recorder, 4096);
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    end();
}

static void a_stack_that_finds_no_room_is_counted_nowhere(void)
{
    struct fake_code_object *unknown = fake_code_object_create("unknown", 1, 20000);
    struct cprof_sample sample = {.depth = 1, .kind = CPROF_STACK_OFF_CPU};
    uint32_t known, ref;

    begin_with(CPROF_LOG_BYTES_MIN);
    cprof_record_expect(&fixture.recorder, context);
    EXPECT(find_two_frames(&known) == CPROF_RECORDED);
    (void)fill_log();
    recorder_fixture_frame(context, 0, unknown, 8);
    EXPECT(cprof_record_find(&fixture.recorder, context, &sample, &ref) == CPROF_RECORDED_LOG_FULL);
    EXPECT(ref == CPROF_NO_REF && atomic_load(&counters()[CPROF_COUNTER_LOG_FULL]) == 1);
    EXPECT(find_two_frames(&ref) == CPROF_RECORDED && ref == known);
    fake_code_object_free(unknown);
    end();
}

static void there_are_so_many_contexts_and_no_more(void)
{
    struct cprof_context *contexts[CPROF_CONTEXTS_MAX];

    begin();
    contexts[0] = context;
    for (uint32_t i = 1; i < CPROF_CONTEXTS_MAX; i++) {
        contexts[i] = cprof_context_acquire(&fixture.recorder);
        EXPECT(contexts[i]);
        for (uint32_t j = 0; j < i; j++) {
            EXPECT(contexts[i] != contexts[j]);
        }
    }
    EXPECT(!cprof_context_acquire(&fixture.recorder));

    cprof_context_release(contexts[5]);
    EXPECT(cprof_context_acquire(&fixture.recorder) == contexts[5]);
    end();
}

static void two_contexts_share_what_they_know(void)
{
    struct cprof_context *first;

    begin();
    first = context;
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    context = cprof_context_acquire(&fixture.recorder);
    EXPECT(context && context != first && record_two_frames(16, 1) == CPROF_RECORDED);

    read_log();
    EXPECT(view.stack_count == 1 && recorder_fixture_count(&view, "leaf") == 2);
    cprof_log_view_reset(&view);
    end();
}

static void a_new_epoch_starts_from_nothing(void)
{
    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    cprof_context_release(context);
    cprof_recorder_end(&fixture.recorder);
    cprof_segment_recycle_slot(&fixture.segment, 0, FIXTURE_EPOCH + 1);
    fake_code_object_rename(leaf, "newer");
    cprof_recorder_begin(&fixture.recorder, FIXTURE_EPOCH + 1, FIXTURE_INCARNATION);
    context = cprof_context_acquire(&fixture.recorder);
    EXPECT(context && record_two_frames(16, 1) == CPROF_RECORDED);

    recorder_fixture_read(&fixture, FIXTURE_EPOCH + 1, &view);
    EXPECT(view.stack_count == 1);
    EXPECT(recorder_fixture_count(&view, "newer") == 1);
    cprof_log_view_reset(&view);
    end();
}

static void deaths_between_epochs_touch_nothing(void)
{
    uint32_t generation;

    begin();
    EXPECT(record_two_frames(16, 1) == CPROF_RECORDED);
    cprof_recorder_end(&fixture.recorder);
    generation = atomic_load(&fixture.recorder.generation);
    cprof_recorder_retire(&fixture.recorder, fake_code_address(leaf));
    EXPECT(atomic_load(&fixture.recorder.generation) == generation);
    end();
}

static void *record_stacks(void *unused)
{
    (void)unused;
    for (int32_t i = 0; i < 20000; i++) {
        EXPECT(record_two_frames(8 + 2 * (i % 500), 1) == CPROF_RECORDED);
    }
    return NULL;
}

static void a_log_can_be_read_while_it_is_written(void)
{
    uint64_t count = 0, last;
    pthread_t writer;

    begin();
    EXPECT(pthread_create(&writer, NULL, record_stacks, NULL) == 0);
    do {
        last = count;
        read_log(); /* which rejects nothing */
        count = recorder_fixture_count(&view, "leaf");
        cprof_log_view_reset(&view);
        EXPECT(count >= last);
    } while (count < 20000);
    EXPECT(pthread_join(writer, NULL) == 0);
    end();
}

int main(void)
{
    RUN(a_stack_is_written_once_and_counted);
    RUN(a_code_object_arrives_with_all_its_texts);
    RUN(a_line_table_arrives_whole_whatever_its_length);
    RUN(an_absurd_line_table_is_left_out_and_the_first_line_stays);
    RUN(stacks_that_differ_anywhere_are_told_apart);
    RUN(a_tick_that_is_no_sample_leaves_its_weight_alone);
    RUN(tags_arrive_as_a_chain);
    RUN(tags_of_the_moment_stand_behind_those_of_the_thread);
    RUN(samples_with_other_and_those_that_lack_a_tag_are_counted);
    RUN(a_stack_without_frames_counts_too);
    RUN(a_frame_that_is_still_set_up_is_left_out_unless_it_is_a_generators);
    RUN(the_deepest_stack_arrives_in_order);
    RUN(what_is_no_code_object_is_counted_nowhere);
    RUN(a_line_table_that_cannot_be_read_is_counted_nowhere);
    RUN(a_version_without_qualified_names_gives_none);
    RUN(a_known_stack_is_counted_without_reading_its_code_objects);
    RUN(a_retired_address_gets_the_name_of_its_new_code_object);
    RUN(a_death_elsewhere_does_not_write_a_stack_twice);
    RUN(the_death_of_an_unknown_code_object_changes_nothing);
    RUN(a_full_log_counts_new_stacks_apart_and_known_ones_as_before);
    RUN(a_stack_that_is_found_is_counted_by_what_is_added);
    RUN(a_weight_can_be_taken_back_but_not_below_nothing);
    RUN(stacks_that_slept_elsewhere_are_told_apart);
    RUN(a_death_between_walk_and_record_takes_the_stack_back);
    RUN(a_death_of_a_known_code_object_takes_the_stack_back);
    RUN(any_death_makes_what_was_read_doubtful_once);
    RUN(a_death_while_the_texts_are_copied_leaves_no_entry);
    RUN(a_death_just_before_an_entry_is_added_takes_the_entry_back);
    RUN(deaths_do_not_matter_to_a_thread_that_reads_its_own_stack);
    RUN(a_stack_that_finds_no_room_is_counted_nowhere);
    RUN(there_are_so_many_contexts_and_no_more);
    RUN(two_contexts_share_what_they_know);
    RUN(a_new_epoch_starts_from_nothing);
    RUN(deaths_between_epochs_touch_nothing);
    RUN(a_log_can_be_read_while_it_is_written);
    return 0;
}
