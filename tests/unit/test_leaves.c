/* test_leaves.c - samples in native code, and the mappings that tell what it is; see
 * plugin/record/recorder.h, known_text.h and mappings.h.
 *
 * sources: plugin/record/known_text.c
 * sources: plugin/record/recorder.c plugin/record/intern.c plugin/python/code_object.c
 * sources: plugin/python/text.c plugin/python/peek.c
 * sources: tests/unit/recorder_fixture.c tests/unit/fake_python.c tests/unit/fake_log.c
 * sources: plugin/tags/tag_values.c
 * sources: plugin/record/mappings.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../plugin/record/known_text.h"
#include "../../plugin/record/mappings.h"
#include "expect.h"
#include "recorder_fixture.h"

#define PC UINT64_C(0x7f0000001234)

static struct recorder_fixture fixture;
static struct cprof_context *context;
static struct fake_code_object *function;
static struct cprof_log_view view;

static void begin(void)
{
    recorder_fixture_begin(&fixture, CPROF_LOG_BYTES_MIN, 8);
    context = cprof_context_acquire(&fixture.recorder);
    EXPECT(context != NULL);
    function = fake_code_object_create("function", 10, 100);
    cprof_mappings_begin(FIXTURE_INCARNATION);
}

static void end(void)
{
    fake_code_object_free(function);
    cprof_log_view_reset(&view);
    recorder_fixture_end(&fixture);
}

static void read_log(void)
{
    cprof_log_view_reset(&view);
    recorder_fixture_read(&fixture, FIXTURE_EPOCH, &view);
}

static void record(uintptr_t pc, uint64_t weight_ns, uint64_t timer_weight_ns)
{
    struct cprof_sample sample = {.depth = 1,
                                  .weight_ns = weight_ns,
                                  .timer_weight_ns = timer_weight_ns,
                                  .kind = CPROF_STACK_ON_CPU,
                                  .gil = CPROF_GIL_HELD,
                                  .leaf_pc = pc};

    recorder_fixture_frame(context, 0, function, 16);
    EXPECT(cprof_record_sample(&fixture.recorder, context, &sample) == CPROF_RECORDED);
}

static const _Atomic uint64_t *counters(void)
{
    return cprof_segment_slot(&fixture.segment, 0)->counters;
}

static void samples_at_one_address_share_a_leaf(void)
{
    struct cprof_log_leaf leaf;
    struct cprof_log_numbers numbers;

    begin();
    for (int i = 0; i < 5; i++) {
        record(PC, 10, 3);
    }

    read_log();
    EXPECT(view.stack_count == 1 && cprof_log_leaf(&view, view.stacks[0], &leaf));
    EXPECT(leaf.pc == PC && leaf.incarnation == FIXTURE_INCARNATION);
    numbers = cprof_log_numbers(&view, view.stacks[0]);
    EXPECT(numbers.count == 5 && numbers.weight_ns == 50 && numbers.timer_weight_ns == 15);
    EXPECT(cprof_log_stack(&view, view.stacks[0])->depth == 1);
    EXPECT(cprof_log_stack(&view, view.stacks[0])->gil == CPROF_GIL_HELD);
    end();
}

static void samples_elsewhere_are_told_apart(void)
{
    begin();
    record(PC, 10, 0);
    record(PC + 1, 10, 0);
    record(0, 10, 0);

    read_log();
    EXPECT(view.stack_count == 3);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(cprof_log_stack_ref(&view, view.stacks[i]) ==
               cprof_log_stack_ref(&view, view.stacks[0]));
        EXPECT(cprof_log_numbers(&view, view.stacks[i]).count == 1);
    }
    end();
}

static void leaves_have_a_part_of_the_log_and_stacks_count_beyond(void)
{
    uint64_t leaves_max = CPROF_LOG_BYTES_MIN / CPROF_LEAF_LOG_PART / 48;
    uint64_t total = 0;

    begin();
    for (uint64_t i = 0; i < leaves_max + 100; i++) {
        record(PC + i, 10, 0);
    }

    read_log();
    EXPECT(view.stack_count == leaves_max + 1);
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LEAVES_LEFT_OUT]) == 100);
    EXPECT(atomic_load(&counters()[CPROF_COUNTER_LOG_FULL]) == 0);
    for (size_t i = 0; i < view.stack_count; i++) {
        total += cprof_log_numbers(&view, view.stacks[i]).count;
    }
    EXPECT(total == leaves_max + 100);
    end();
}

/* Whether the log says what file lies at the address. */
static bool is_described(uintptr_t address)
{
    for (size_t i = 0; i < view.mapping_count; i++) {
        struct cprof_log_mapping mapping;

        cprof_log_mapping(&view, view.mappings[i], &mapping);
        if (address >= mapping.start && address < mapping.end) {
            return mapping.incarnation == FIXTURE_INCARNATION;
        }
    }
    return false;
}

static void nothing_is_described_until_a_leaf_asks(void)
{
    begin();
    record(0, 10, 0);
    cprof_mappings_look(&fixture.recorder);
    cprof_mappings_finish(&fixture.recorder);
    read_log();
    EXPECT(view.mapping_count == 0);

    record((uintptr_t)record, 10, 0);
    cprof_mappings_look(&fixture.recorder);
    read_log();
    EXPECT(is_described((uintptr_t)record) && is_described((uintptr_t)memcpy));
    EXPECT(!is_described((uintptr_t)&fixture));
    end();
}

static void what_is_mapped_later_is_described_later(void)
{
    size_t before;
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint8_t *code;

    begin();
    record((uintptr_t)record, 10, 0);
    cprof_mappings_look(&fixture.recorder);
    read_log();
    before = view.mapping_count;
    code =
        mmap(NULL, (size_t)page_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(code != MAP_FAILED);

    record((uintptr_t)record, 10, 0);
    cprof_mappings_look(&fixture.recorder);
    read_log();
    EXPECT(view.mapping_count == before && !is_described((uintptr_t)code));

    record((uintptr_t)code + 1, 10, 0);
    cprof_mappings_look(&fixture.recorder);
    read_log();
    EXPECT(view.mapping_count == before + 1 && is_described((uintptr_t)code));
    EXPECT(munmap(code, (size_t)page_bytes) == 0);
    end();
}

static void the_end_describes_what_no_look_has_met(void)
{
    begin();
    record((uintptr_t)record, 10, 0);
    cprof_mappings_finish(&fixture.recorder);
    read_log();
    EXPECT(is_described((uintptr_t)record));
    end();
}

int main(void)
{
    RUN(samples_at_one_address_share_a_leaf);
    RUN(samples_elsewhere_are_told_apart);
    RUN(leaves_have_a_part_of_the_log_and_stacks_count_beyond);
    RUN(nothing_is_described_until_a_leaf_asks);
    RUN(what_is_mapped_later_is_described_later);
    RUN(the_end_describes_what_no_look_has_met);
    return 0;
}
