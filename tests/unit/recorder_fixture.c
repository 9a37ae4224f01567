/* recorder_fixture.c - see recorder_fixture.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recorder_fixture.h"

#include <stdatomic.h>
#include <string.h>

#include "expect.h"
#include "fake_log.h"

void recorder_fixture_begin(struct recorder_fixture *fixture, uint64_t log_bytes,
                            uint32_t max_depth)
{
    struct cprof_segment *segment = &fixture->segment;

    fake_segment_open(segment, 1, log_bytes);
    EXPECT(cprof_recorder_create(&fixture->recorder, &fake_python, cprof_segment_slot(segment, 0),
                                 segment->base + cprof_segment_log_offset(0, log_bytes), log_bytes,
                                 max_depth));
    cprof_recorder_begin(&fixture->recorder, FIXTURE_EPOCH, FIXTURE_INCARNATION);
}

void recorder_fixture_end(struct recorder_fixture *fixture)
{
    cprof_recorder_destroy(&fixture->recorder);
    fake_segment_close(&fixture->segment);
}

void recorder_fixture_frame(struct cprof_context *context, uint32_t index,
                            const struct fake_code_object *object, int32_t byte_offset)
{
    context->way = CPROF_PEEK_SYSTEM;
    context->raw[index] =
        (struct cprof_raw_frame){.code = fake_code_address(object), .byte_offset = byte_offset};
}

enum cprof_recorded recorder_fixture_sample(struct recorder_fixture *fixture,
                                            struct cprof_context *context, uint32_t depth,
                                            uint64_t weight_ns)
{
    struct cprof_sample sample = {
        .depth = depth, .weight_ns = weight_ns, .kind = CPROF_STACK_ON_CPU};

    return cprof_record_sample(&fixture->recorder, context, &sample);
}

void recorder_fixture_read(const struct recorder_fixture *fixture, uint32_t epoch,
                           struct cprof_log_view *view)
{
    struct cprof_error error;

    EXPECT(cprof_log_read(view, &fixture->segment, 0, epoch, &error));
    EXPECT(view->rejected == 0);
}

uint64_t recorder_fixture_count(const struct cprof_log_view *view, const char *name)
{
    uint64_t count = 0;

    for (size_t i = 0; i < view->stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, view->stacks[i]);
        struct cprof_log_code code;

        if (stack->depth == 0) {
            continue;
        }
        cprof_log_code(view, stack->frames[0].code_ref, &code);
        if (strcmp(code.name, name) == 0) {
            count += atomic_load(&stack->count);
        }
    }
    return count;
}
