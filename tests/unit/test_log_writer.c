/* test_log_writer.c - see shared/segment/log_writer.h.
 *
 * sources: tests/unit/fake_log.c tests/unit/short_memory.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/log_writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "../../gateway/profile/log_reader.h"
#include "expect.h"
#include "fake_log.h"
#include "short_memory.h"

#define LOG_BYTES   CPROF_LOG_BYTES_MIN
#define CHUNKS      (LOG_BYTES / CPROF_CHUNK_BYTES)
#define EPOCH       1u
#define INCARNATION 3u
#define TAG         ((uint32_t)sizeof(struct cprof_tag_record))

static struct cprof_segment segment;
static struct cprof_log_writer writer;

static void begin(void)
{
    fake_segment_open(&segment, 1, LOG_BYTES);
    writer = fake_writer(&segment, 0, EPOCH, INCARNATION);
}

static void end(void)
{
    fake_segment_close(&segment);
}

static uint8_t *log_memory(void)
{
    return segment.base + cprof_segment_log_offset(0, LOG_BYTES);
}

static struct cprof_chunk *chunk_at(uint32_t index)
{
    return (void *)(log_memory() + (size_t)index * CPROF_CHUNK_BYTES);
}

static uint32_t fill_of(uint32_t chunk_index)
{
    return atomic_load(&chunk_at(chunk_index)->fill);
}

static uint32_t claimed_chunks(void)
{
    return (uint32_t)atomic_load(&cprof_segment_slot(&segment, 0)->claim);
}

static void a_new_writer_claims_nothing_until_it_writes(void)
{
    begin();
    EXPECT(claimed_chunks() == 0);

    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    EXPECT(claimed_chunks() == 1);
    EXPECT(chunk_at(0)->epoch == EPOCH && chunk_at(0)->incarnation == INCARNATION);
    end();
}

static void a_record_comes_with_its_header_and_its_length_rounded_up(void)
{
    struct cprof_record *record;

    begin();
    record = cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG + 3);

    EXPECT(record && record->type == CPROF_RECORD_TAG && record->flags == 0);
    EXPECT(record->bytes == (TAG + 3 + 7) / 8 * 8);
    (void)cprof_log_publish(&writer);
    EXPECT(fill_of(0) == record->bytes);
    end();
}

static void a_record_is_invisible_until_it_is_published(void)
{
    struct cprof_log_view view;
    struct cprof_stack_record *stack;
    struct cprof_error error;

    begin();
    stack = cprof_log_reserve(&writer, CPROF_RECORD_STACK, sizeof(*stack));
    EXPECT(stack);
    stack->kind = CPROF_STACK_ON_CPU;
    atomic_store(&stack->count, 1);

    EXPECT(fill_of(0) == 0);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(view.stack_count == 0 && view.rejected == 0);
    cprof_log_view_reset(&view);

    (void)cprof_log_publish(&writer);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(view.stack_count == 1 && view.rejected == 0);
    cprof_log_view_reset(&view);
    end();
}

static void a_record_that_is_given_up_leaves_no_trace(void)
{
    uint8_t *given_up, *next;

    begin();
    given_up = cprof_log_reserve(&writer, CPROF_RECORD_LINES, 512);
    EXPECT(given_up);
    memset(given_up, 0xAA, 512);

    next = cprof_log_reserve(&writer, CPROF_RECORD_TAG, 256);
    EXPECT(next == given_up);
    for (uint32_t i = sizeof(struct cprof_record); i < 256; i++) {
        EXPECT(next[i] == 0);
    }
    (void)cprof_log_publish(&writer);
    EXPECT(fill_of(0) == 256);
    end();
}

static void a_reference_leads_back_to_its_record(void)
{
    begin();
    for (uint32_t i = 1; i < 2000; i++) {
        struct cprof_tag_record *tag = cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG);
        uint32_t ref;

        EXPECT(tag);
        tag->parent_ref = i;
        ref = cprof_log_publish(&writer);
        EXPECT(ref != CPROF_NO_REF);
        EXPECT(cprof_log_record(log_memory(), ref) == (void *)tag);
        EXPECT((uint8_t *)tag == log_memory() + (size_t)ref * 8);
    }
    end();
}

static void a_record_never_crosses_into_another_chunk(void)
{
    static const uint32_t sizes[] = {16, 8200, 40, 5000, 16368, 24, 12000, 3104, 1040};
    uint32_t refused = 0, seen = 0;

    begin();
    while (refused < sizeof(sizes) / sizeof(sizes[0])) {
        uint32_t bytes = sizes[seen++ % (sizeof(sizes) / sizeof(sizes[0]))];
        uint8_t *record = cprof_log_reserve(&writer, CPROF_RECORD_TAG, bytes);
        uint64_t first, last;

        if (!record) {
            refused++;
            continue;
        }
        refused = 0;
        memset(record + sizeof(struct cprof_record), 0x55, bytes - sizeof(struct cprof_record));
        (void)cprof_log_publish(&writer);
        first = (uint64_t)(record - log_memory());
        last = first + bytes - 1;
        EXPECT(last < LOG_BYTES && first / CPROF_CHUNK_BYTES == last / CPROF_CHUNK_BYTES);
        EXPECT(first % CPROF_CHUNK_BYTES >= sizeof(struct cprof_chunk));
    }
    for (uint32_t i = 0; i < CHUNKS; i++) {
        EXPECT(chunk_at(i)->epoch == EPOCH && chunk_at(i)->incarnation == INCARNATION);
        EXPECT(fill_of(i) <= CPROF_CHUNK_PAYLOAD_BYTES);
    }
    end();
}

static void the_largest_record_of_each_type_fits(void)
{
    static const size_t sizes[] = {
        sizeof(struct cprof_stack_record) + CPROF_DEPTH_MAX * sizeof(struct cprof_frame),
        sizeof(struct cprof_lines_record) + CPROF_LINES_PART_BYTES_MAX,
        sizeof(struct cprof_code_record) + 3u * CPROF_NAME_BYTES_MAX,
        sizeof(struct cprof_tag_record) + 2u * CPROF_NAME_BYTES_MAX,
        CPROF_CHUNK_PAYLOAD_BYTES,
    };

    begin();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_STACK, (uint32_t)sizes[i]));
        (void)cprof_log_publish(&writer);
    }
    end();
}

static void a_record_larger_than_a_chunk_is_refused_and_claims_nothing(void)
{
    begin();
    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_LINES, CPROF_CHUNK_PAYLOAD_BYTES + 1));
    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_LINES, CPROF_LOG_BYTES_MIN));
    for (uint32_t less = 0; less < 16; less++) { /* where rounding up starts at zero again */
        EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_LINES, UINT32_MAX - less));
    }
    EXPECT(claimed_chunks() == 0);
    end();
}

static void a_full_log_refuses_and_keeps_what_it_has(void)
{
    uint32_t records = 0;

    begin();
    while (cprof_log_reserve(&writer, CPROF_RECORD_TAG, CPROF_CHUNK_PAYLOAD_BYTES)) {
        (void)cprof_log_publish(&writer);
        records++;
    }

    EXPECT(records == CHUNKS);
    for (uint32_t i = 0; i < 100; i++) {
        EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    }
    EXPECT(claimed_chunks() == CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        EXPECT(fill_of(i) == CPROF_CHUNK_PAYLOAD_BYTES);
    }
    end();
}

static void a_writer_of_an_older_epoch_gets_no_chunk(void)
{
    begin();
    cprof_segment_recycle_slot(&segment, 0, EPOCH + 1);

    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    EXPECT(claimed_chunks() == 0);
    EXPECT(atomic_load(&cprof_segment_slot(&segment, 0)->claim) == (uint64_t)(EPOCH + 1) << 32);
    end();
}

static void a_writer_of_an_older_epoch_leaves_the_chunk_that_it_has(void)
{
    begin();
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    (void)cprof_log_publish(&writer);
    cprof_segment_recycle_slot(&segment, 0, EPOCH + 1);

    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    EXPECT(fill_of(0) == 0 && chunk_at(0)->epoch == 0);
    end();
}

static void a_writer_of_the_new_epoch_starts_with_an_empty_log(void)
{
    begin();
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    (void)cprof_log_publish(&writer);
    cprof_segment_recycle_slot(&segment, 0, EPOCH + 1);
    EXPECT(fill_of(0) == 0);

    writer = fake_writer(&segment, 0, EPOCH + 1, INCARNATION + 1);
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    EXPECT(chunk_at(0)->epoch == EPOCH + 1 && chunk_at(0)->incarnation == INCARNATION + 1);
    end();
}

/* Fills each record with its writer's number until the log is full. */
static void *write_until_full(void *number)
{
    uint32_t self = (uint32_t)(uintptr_t)number;
    struct cprof_log_writer own = fake_writer(&segment, 0, EPOCH, self);

    for (uint32_t i = 0;; i++) {
        uint32_t bytes = 64 + (i * 104 + self * 40) % 2048;
        uint8_t *record = cprof_log_reserve(&own, CPROF_RECORD_TAG, bytes);

        if (!record) {
            return NULL;
        }
        memset(record + sizeof(struct cprof_record), (int)self,
               ((struct cprof_record *)(void *)record)->bytes - sizeof(struct cprof_record));
        (void)cprof_log_publish(&own);
    }
}

static void expect_one_writer_in_chunk(uint32_t index)
{
    struct cprof_chunk *chunk = chunk_at(index);
    uint32_t fill = fill_of(index);
    const uint8_t *at = (const uint8_t *)(chunk + 1);
    const uint8_t *stop = at + fill;

    EXPECT(chunk->epoch == EPOCH && fill > 0 && fill <= CPROF_CHUNK_PAYLOAD_BYTES);
    while (at < stop) {
        uint32_t bytes = ((const struct cprof_record *)(const void *)at)->bytes;

        EXPECT(bytes >= 64 && bytes <= (size_t)(stop - at));
        for (uint32_t i = sizeof(struct cprof_record); i < bytes; i++) {
            EXPECT(at[i] == chunk->incarnation);
        }
        at += bytes;
    }
}

static void many_writers_never_share_a_chunk(void)
{
    enum { WRITERS = 8 };
    pthread_t threads[WRITERS];

    begin();
    for (uintptr_t i = 0; i < WRITERS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, write_until_full, (void *)(i + 1)) == 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }

    EXPECT(claimed_chunks() == CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        expect_one_writer_in_chunk(i);
    }
    end();
}

/* A log in memory of which nothing can be had yet; the slot's own page is there. */
static void begin_without_memory(struct short_memory *memory)
{
    begin();
    short_memory_open(memory, LOG_BYTES);
    cprof_log_writer_init(&writer, cprof_segment_slot(&segment, 0), memory->start, LOG_BYTES, EPOCH,
                          INCARNATION);
}

static void end_without_memory(struct short_memory *memory)
{
    short_memory_close(memory);
    end();
}

static uint64_t refusals(void)
{
    return atomic_load(&cprof_segment_slot(&segment, 0)->counters[CPROF_COUNTER_MEMORY_REFUSED]);
}

static void a_record_without_memory_is_refused_and_counted(void)
{
    struct short_memory memory;

    begin_without_memory(&memory);
    for (unsigned i = 1; i <= 3 * CHUNKS; i++) {
        EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
        EXPECT(refusals() == i);
    }
    EXPECT(claimed_chunks() == 1); /* which waits for better times */
    end_without_memory(&memory);
}

static void a_writer_goes_on_when_there_is_memory_again(void)
{
    struct short_memory memory;
    const struct cprof_chunk *chunk;

    begin_without_memory(&memory);
    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    short_memory_allow(&memory, LOG_BYTES);

    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    (void)cprof_log_publish(&writer);
    chunk = memory.start;
    EXPECT(chunk->epoch == EPOCH && chunk->incarnation == INCARNATION);
    EXPECT(atomic_load(&chunk->fill) == TAG);
    EXPECT(claimed_chunks() == 1 && refusals() == 1);
    end_without_memory(&memory);
}

static void what_fits_into_the_pages_that_are_there_is_written(void)
{
    struct short_memory memory;
    const struct cprof_chunk *chunk;

    begin_without_memory(&memory);
    short_memory_allow(&memory, 4096);
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    (void)cprof_log_publish(&writer);
    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_LINES, 4096));
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, 4096 - sizeof(*chunk) - TAG));
    (void)cprof_log_publish(&writer);
    EXPECT(!cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));

    chunk = memory.start;
    EXPECT(atomic_load(&chunk->fill) == 4096 - sizeof(*chunk));
    EXPECT(refusals() == 2 && claimed_chunks() == 1);
    end_without_memory(&memory);
}

static void pages_are_taken_when_a_record_reaches_them(void)
{
    struct short_memory memory;

    begin_without_memory(&memory);
    short_memory_allow(&memory, LOG_BYTES);
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_TAG, TAG));
    EXPECT(short_memory_used(&memory) == 4096);
    (void)cprof_log_publish(&writer);
    EXPECT(cprof_log_reserve(&writer, CPROF_RECORD_LINES, 4096));
    EXPECT(short_memory_used(&memory) == 8192);
    end_without_memory(&memory);
}

int main(void)
{
    RUN(a_new_writer_claims_nothing_until_it_writes);
    RUN(a_record_comes_with_its_header_and_its_length_rounded_up);
    RUN(a_record_is_invisible_until_it_is_published);
    RUN(a_record_that_is_given_up_leaves_no_trace);
    RUN(a_reference_leads_back_to_its_record);
    RUN(a_record_never_crosses_into_another_chunk);
    RUN(the_largest_record_of_each_type_fits);
    RUN(a_record_larger_than_a_chunk_is_refused_and_claims_nothing);
    RUN(a_full_log_refuses_and_keeps_what_it_has);
    RUN(a_writer_of_an_older_epoch_gets_no_chunk);
    RUN(a_writer_of_an_older_epoch_leaves_the_chunk_that_it_has);
    RUN(a_writer_of_the_new_epoch_starts_with_an_empty_log);
    RUN(many_writers_never_share_a_chunk);
    RUN(a_record_without_memory_is_refused_and_counted);
    RUN(a_writer_goes_on_when_there_is_memory_again);
    RUN(what_fits_into_the_pages_that_are_there_is_written);
    RUN(pages_are_taken_when_a_record_reaches_them);
    return 0;
}
