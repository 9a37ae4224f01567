/* fuzz_log.c - a slot and its log with any bytes in them (gateway/profile/log_reader.h), as patches
 * of a sound one, read and merged. Sums must stay in bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/profile/log_reader.h"
#include "../../gateway/profile/merge.h"
#include "../unit/expect.h"
#include "../unit/fake_log.h"
#include "fuzz.h"
#include "patches.h"

#define EPOCH       1
#define MS          UINT64_C(1000000)
#define USED_CHUNKS 2
/* Of each chunk that is in use; the records below end before it. */
#define USED_BYTES  2048u

static struct cprof_segment segment;
static struct cprof_slot sound_slot;
static uint8_t sound_chunks[USED_CHUNKS][CPROF_CHUNK_BYTES];

/* The part that is patched: the slot's head, then the beginning of each chunk in use. */
struct image {
    struct cprof_slot slot;
    uint8_t chunks[USED_CHUNKS][USED_BYTES];
};

/* Mappings that follow each other, overlap and disagree. No file is looked at. */
static void write_leaves(struct cprof_log_writer *writer, uint32_t stack_ref)
{
    static const struct fake_mapping mappings[] = {
        {.start = 0x1000, .end = 0x3000, .inode = 1, .incarnation = 1, .path = "/lib/liba.so.1"},
        {.start = 0x2000, .end = 0x4000, .inode = 2, .incarnation = 1, .path = "/lib/libb.so"},
        {.start = 0x5000, .end = 0x6000, .incarnation = 1, .path = "[vdso]"},
    };

    for (size_t i = 0; i < sizeof(mappings) / sizeof(mappings[0]); i++) {
        EXPECT(fake_mapping(writer, &mappings[i]));
        EXPECT(fake_leaf(writer, &(struct fake_leaf){.stack_ref = stack_ref,
                                                     .pc = mappings[i].start,
                                                     .count = 1,
                                                     .weight_ns = 10 * MS,
                                                     .timer_weight_ns = 10 * MS}));
    }
}

static void write_stacks(struct cprof_log_writer *writer, const char *thread)
{
    static const uint8_t table[] = {0x80, 0x00, 0xd8, 0x04, 0x05, 0xf0, 0x02, 0x01};
    uint32_t tag = fake_tag(writer, CPROF_NO_REF, "thread", thread);
    struct cprof_frame frames[2] = {
        {.code_ref = fake_code(writer, &(struct fake_code){.name = "pay",
                                                           .qualified_name = "Shop.pay",
                                                           .file = "shop.py",
                                                           .first_line = 12,
                                                           .line_format = CPROF_LINES_TABLE_311,
                                                           .line_table = table,
                                                           .line_table_bytes = sizeof(table),
                                                           .part_bytes = 5}),
         .byte_offset = 4},
        {.code_ref = fake_code(
             writer, &(struct fake_code){.name = "main", .file = "main.py", .first_line = 1}),
         .byte_offset = 8}};

    for (uint32_t kind = CPROF_STACK_ON_CPU; kind <= CPROF_STACK_RUNNABLE; kind++) {
        uint16_t depth = kind == CPROF_STACK_RUNNABLE ? 0 : 2;

        uint32_t ref = fake_stack(writer, &(struct fake_stack){.frames = frames,
                                                               .depth = depth,
                                                               .kind = kind,
                                                               .state = CPROF_STATE_UNKNOWN,
                                                               .gil = CPROF_GIL_HELD,
                                                               .system_call = 1,
                                                               .tag_ref = tag,
                                                               .count = 3,
                                                               .weight_ns = 30 * MS,
                                                               .timer_weight_ns = 10 * MS});

        EXPECT(ref);
        if (kind == CPROF_STACK_ON_CPU) {
            write_leaves(writer, ref);
        }
    }
}

static void write_sound_log(void)
{
    struct cprof_log_writer writers[USED_CHUNKS];
    const uint8_t *log;

    fake_segment_open(&segment, 1, CPROF_LOG_BYTES_MIN);
    for (unsigned i = 0; i < USED_CHUNKS; i++) {
        writers[i] = fake_writer(&segment, 0, EPOCH, 1);
        write_stacks(&writers[i], i == 0 ? "core0" : "core1");
    }
    fake_close(&segment, 0, EPOCH, 2000 * MS);
    log = cprof_segment_log(&segment, 0);
    memcpy(&sound_slot, cprof_segment_slot(&segment, 0), sizeof(sound_slot));
    memcpy(sound_chunks, log, sizeof(sound_chunks));
}

static void read_and_merge(enum cprof_kind kind)
{
    static const struct cprof_window window = {
        .kinds = CPROF_KINDS_ALL, .period_ns = 10 * MS, .start_ns = MS, .end_ns = 10000 * MS};
    static const struct cprof_config config = {.native_leaf = 1,
                                               .tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD |
                                                       CPROF_TAG_STATE | CPROF_TAG_GIL};
    struct cprof_log_view view;
    struct cprof_merge merge;
    struct cprof_table table;
    struct cprof_error error;

    cprof_table_init(&table);
    cprof_merge_begin(&merge, &table, &config, &window, kind);
    EXPECT(cprof_log_read(&view, &segment, 0, EPOCH, &error));
    EXPECT(cprof_merge_slot(&merge, &view, &error));
    cprof_log_view_reset(&view);
    EXPECT(cprof_merge_end(&merge, &error));
    EXPECT(cprof_table_total_ns(&table) < (uint64_t)INT64_MAX);
    cprof_table_reset(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image;
    uint8_t *log;

    if (!segment.base) {
        write_sound_log();
    }
    log = segment.base + cprof_segment_log_offset(0, segment.log_bytes);
    memcpy(&image.slot, &sound_slot, sizeof(image.slot));
    for (unsigned i = 0; i < USED_CHUNKS; i++) {
        memcpy(image.chunks[i], sound_chunks[i], USED_BYTES);
    }
    fuzz_patch(&image, sizeof(image), data, size);
    memcpy(cprof_segment_slot(&segment, 0), &image.slot, sizeof(image.slot));
    for (unsigned i = 0; i < USED_CHUNKS; i++) {
        memcpy(log + i * CPROF_CHUNK_BYTES, image.chunks[i], USED_BYTES);
    }
    read_and_merge(CPROF_KIND_CPU);
    read_and_merge(CPROF_KIND_WALL);
    return 0;
}
