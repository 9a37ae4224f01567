/* test_hostile_segment.c - a segment in which anything may stand: it is read and merged after
 * each of many mutations of a realistic one. No crash, no hang, and sums that stay in bounds.
 *
 * usage: test_hostile_segment [SEED [MUTATIONS]]
 *
 * sources: tests/unit/fake_log.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../../gateway/profile/log_reader.h"
#include "../../gateway/profile/merge.h"
#include "../../gateway/windows/harvest.h"
#include "../../shared/segment/window.h"
#include "expect.h"
#include "fake_log.h"

#define EPOCH             1
#define SLOTS             2
#define FUNCTIONS         10
#define STACKS            16
#define DEPTH             10
#define MUTATIONS_DEFAULT 4000
#define CHANGES_MAX       12 /* at once */
#define CHANGE_BYTES_MAX  48
#define WHOLE_EACH        50  /* mutations: encoding a profile takes longest */
#define SECONDS_MAX       250 /* SIGALRM ends the test: a hang */
#define MS                UINT64_C(1000000)

struct change {
    uint64_t offset;
    size_t bytes;
    uint8_t before[CHANGE_BYTES_MAX];
};

static struct cprof_segment segment;
static struct cprof_window window;
static uint64_t random_state;
static uint64_t rejected, accepted;

/* xorshift64*: small, and the same everywhere for a seed. */
static uint64_t next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t bound)
{
    return next_random() % bound;
}

/* Samples at an address, of a stack of one frame. */
static void write_leaf(struct cprof_log_writer *writer, uint32_t code)
{
    struct cprof_frame frame = {.code_ref = code, .byte_offset = 2};
    uint32_t stack = fake_stack(writer, &(struct fake_stack){.frames = &frame, .depth = 1});

    EXPECT(fake_leaf(
               writer,
               &(struct fake_leaf){.stack_ref = stack, .pc = 4096, .count = 1, .weight_ns = MS}) !=
           CPROF_NO_REF);
}

static void write_slot(uint32_t slot_index)
{
    struct cprof_log_writer writers[2] = {fake_writer(&segment, slot_index, EPOCH, 1),
                                          fake_writer(&segment, slot_index, EPOCH, 1)};
    uint32_t threads[2] = {fake_tag(&writers[0], CPROF_NO_REF, "thread", "core0"),
                           fake_tag(&writers[1], CPROF_NO_REF, "thread", "core1")};
    uint32_t codes[FUNCTIONS];
    struct cprof_frame frames[DEPTH];
    uint8_t table[60];

    for (unsigned i = 0; i < FUNCTIONS; i++) {
        char name[32], file[32];

        for (size_t byte = 0; byte < sizeof(table); byte++) {
            table[byte] = (uint8_t)next_random();
        }
        (void)snprintf(name, sizeof(name), "function_%u", i);
        (void)snprintf(file, sizeof(file), "module_%u.py", i % 7);
        codes[i] = fake_code(&writers[i % 2], &(struct fake_code){
                                                  .name = name,
                                                  .qualified_name = i % 3 ? name : NULL,
                                                  .file = file,
                                                  .first_line = (int32_t)(i * 10 + 1),
                                                  .line_format = i % 4,
                                                  .line_table = table,
                                                  .line_table_bytes = i % 5 ? sizeof(table) : 0,
                                                  .part_bytes = 24,
                                              });
        EXPECT(codes[i] != CPROF_NO_REF);
    }
    for (unsigned i = 0; i < STACKS; i++) {
        struct cprof_log_writer *writer = &writers[i % 2];
        enum cprof_stack_kind kind = (enum cprof_stack_kind)(1 + i % 3);
        uint16_t depth = kind == CPROF_STACK_RUNNABLE ? 0 : (uint16_t)below(DEPTH);
        uint32_t tags = fake_tag(writer, threads[i % 2], "path", "/pay");

        for (unsigned frame = 0; frame < depth; frame++) {
            frames[frame].code_ref = codes[below(FUNCTIONS)];
            frames[frame].byte_offset = (int32_t)below(300);
        }
        EXPECT(fake_stack(writer, &(struct fake_stack){.frames = frames,
                                                       .depth = depth,
                                                       .kind = kind,
                                                       .flags = (uint8_t)below(8),
                                                       .state = (uint32_t)below(CPROF_STATE_COUNT),
                                                       .tag_ref = tags,
                                                       .count = below(5),
                                                       .weight_ns = below(100 * MS),
                                                       .timer_weight_ns = below(4) * MS}));
    }
    write_leaf(&writers[0], codes[0]);
    fake_close(&segment, slot_index, EPOCH, 2000 * MS);
}

static void write_segment(void)
{
    fake_segment_open(&segment, SLOTS, CPROF_LOG_BYTES_MIN);
    for (uint32_t i = 0; i < SLOTS; i++) {
        write_slot(i);
    }
    window = (struct cprof_window){
        .kinds = CPROF_KINDS_ALL,
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = 10 * MS,
        .start_ns = cprof_now_ns() - 1000 * MS,
        .end_ns = cprof_now_ns() + 9000 * MS,
        .start_unix_ns = cprof_now_unix_ns(),
    };
    cprof_window_open(cprof_segment_control(&segment), 0, &window);
}

/* A place that is read: mostly in the chunks in use, now and then in a header. */
static uint64_t random_place(void)
{
    uint32_t slot_index = (uint32_t)below(SLOTS);
    const struct cprof_slot *slot = cprof_segment_slot(&segment, slot_index);
    uint64_t chunks = atomic_load(&slot->claim) & UINT32_MAX;

    if (below(40) == 0) {
        return below(sizeof(struct cprof_control));
    }
    if (below(10) == 0 || chunks == 0 || chunks > 16) {
        return cprof_segment_slot_offset(slot_index, segment.log_bytes) +
               below(sizeof(struct cprof_slot));
    }
    if (below(5) == 0) {
        return cprof_segment_log_offset(slot_index, segment.log_bytes) +
               below(chunks) * CPROF_CHUNK_BYTES + below(sizeof(struct cprof_chunk));
    }
    return cprof_segment_log_offset(slot_index, segment.log_bytes) +
           below(chunks * CPROF_CHUNK_BYTES);
}

static void change_byte(uint64_t offset)
{
    segment.base[offset] = (uint8_t)next_random();
}

static void change_bit(uint64_t offset)
{
    segment.base[offset] ^= (uint8_t)(1u << below(8));
}

/* A whole word, of the values that break arithmetic. */
static void change_word(uint64_t offset)
{
    static const uint32_t values[] = {0,          1,          8,          15,        16,
                                      0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    uint32_t value = values[below(sizeof(values) / sizeof(*values))];

    if (below(3) == 0) {
        value = (uint32_t)below(2 * CPROF_CHUNK_BYTES / 8); /* a likely reference */
    }
    memcpy(segment.base + (offset & ~UINT64_C(3)), &value, sizeof(value));
}

static void change_stretch(uint64_t offset)
{
    for (unsigned i = 0; i < CHANGE_BYTES_MAX; i++) {
        segment.base[offset + i] = (uint8_t)next_random();
    }
}

static void make_change(struct change *change)
{
    static void (*const ways[])(uint64_t) = {change_byte, change_bit, change_word, change_stretch};

    change->offset = random_place() & ~UINT64_C(3);
    change->bytes = CHANGE_BYTES_MAX;
    memcpy(change->before, segment.base + change->offset, change->bytes);
    ways[below(4)](change->offset);
}

static void undo_change(const struct change *change)
{
    memcpy(segment.base + change->offset, change->before, change->bytes);
}

static void read_and_merge(enum cprof_kind kind)
{
    struct cprof_log_view view;
    struct cprof_merge merge;
    struct cprof_table table;
    struct cprof_error error;
    struct cprof_config config = {
        .tags = CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE,
        .wall_idle = below(2) == 0,
    };

    cprof_table_init(&table);
    cprof_merge_begin(&merge, &table, &config, &window, kind);
    for (uint32_t i = 0; i < SLOTS; i++) {
        EXPECT(cprof_log_read(&view, &segment, i, EPOCH, &error));
        accepted += view.stack_count;
        rejected += view.rejected;
        EXPECT(cprof_merge_slot(&merge, &view, &error));
        cprof_log_view_reset(&view);
    }
    EXPECT(cprof_merge_end(&merge, &error));
    EXPECT(cprof_table_total_ns(&table) < (uint64_t)INT64_MAX);
    cprof_table_reset(&table);
}

/* A look at the logs that lists all stacks, or none and their sums. */
static void look(struct cprof_snapshot *snapshot, bool is_folded)
{
    const struct cprof_snapshot_bounds bounds = {.log_bytes = CPROF_LOG_BYTES_MIN,
                                                 .bytes = is_folded ? 0 : SIZE_MAX};
    struct cprof_error error;

    *snapshot = (struct cprof_snapshot){0};
    while (!cprof_snapshot_is_whole(snapshot)) {
        EXPECT(cprof_snapshot_step(snapshot, &segment, EPOCH, &bounds, &error));
    }
}

static void make_and_pack(const struct cprof_window *wanted, const struct cprof_snapshot *base,
                          const struct cprof_snapshot *end)
{
    static const struct cprof_config config = {.tags = CPROF_TAG_WORKER};
    const struct cprof_harvest_source source = {
        .segment = &segment, .config = &config, .window = wanted, .base = base, .end = end};
    struct cprof_error error;
    struct cprof_making *making = cprof_making_begin(&source, &error);
    enum cprof_step step = CPROF_STEP_MORE;
    struct cprof_harvest *made;

    EXPECT(making);
    while (step == CPROF_STEP_MORE) {
        step = cprof_making_step(making, &error);
    }
    EXPECT(step == CPROF_STEP_DONE);
    made = cprof_making_harvest(making);
    for (unsigned i = 0; i < made->count; i++) {
        EXPECT(cprof_table_total_ns(&made->profiles[i].table) < (uint64_t)INT64_MAX);
        EXPECT(cprof_profile_pack(&made->profiles[i], &error));
    }
    cprof_making_end(making);
}

/* As the gateway itself goes about it, from the descriptor to the file. Something changes behind
 * each look. */
static void harvest(void)
{
    struct cprof_window found[CPROF_WINDOWS_MAX];
    uint32_t mask = cprof_harvest_find_windows(&segment, found);
    bool has_base = below(2) == 0, has_end = below(2) == 0;
    struct cprof_snapshot base = {0}, end = {0};
    struct change changes[2];
    unsigned count = 0;

    if (has_base) {
        look(&base, below(2) == 0);
        make_change(&changes[count++]);
    }
    if (has_end) {
        look(&end, below(2) == 0);
        make_change(&changes[count++]);
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (mask & (1u << i)) {
            make_and_pack(&found[i], &base, has_end ? &end : NULL);
        }
    }
    cprof_snapshot_reset(&base);
    cprof_snapshot_reset(&end);
    while (count > 0) {
        undo_change(&changes[--count]);
    }
}

static void claim(uint64_t value)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        atomic_store(&cprof_segment_slot(&segment, i)->claim, value);
    }
}

static void claim_nothing(void)
{
    claim((uint64_t)EPOCH << 32);
}

static void claim_another_epoch(void)
{
    claim((uint64_t)(EPOCH + 1) << 32 | 1);
}

static void claim_one_chunk(void)
{
    claim((uint64_t)EPOCH << 32 | 1);
}

/* Each stack and leaf refers to somewhere far away. A stack looks like one that gevent may wait in,
 * for which its frames are looked at. */
static void point_far_away(void)
{
    struct cprof_log_view view;
    struct cprof_error error;

    for (uint32_t i = 0; i < SLOTS; i++) {
        uint8_t *log = segment.base + cprof_segment_log_offset(i, segment.log_bytes);

        EXPECT(cprof_log_read(&view, &segment, i, EPOCH, &error));
        for (size_t k = 0; k < view.stack_count; k++) {
            struct cprof_log_leaf ignored;
            uint32_t ref = view.stacks[k];
            void *body = cprof_log_record(log, ref);

            if (cprof_log_leaf(&view, ref, &ignored)) {
                ((struct cprof_leaf_record *)body)->stack_ref = UINT32_MAX / 8;
            } else {
                struct cprof_stack_record *stack = body;

                stack->kind = CPROF_STACK_OFF_CPU;
                stack->state = CPROF_STATE_POLL;
                stack->flags = 0;
                for (unsigned frame = 0; frame < stack->depth; frame++) {
                    stack->frames[frame].code_ref = UINT32_MAX / 8;
                }
            }
        }
        cprof_log_view_reset(&view);
    }
}

/* Whatever the looks noted of each stack, nothing of it is looked for in the log that is read. */
static void a_log_that_is_another_one_behind_each_look_is_survived(void)
{
    static void (*const ways[])(void) = {claim_nothing, claim_another_epoch, claim_one_chunk,
                                         point_far_away};
    size_t bytes = cprof_segment_commands_offset(SLOTS, segment.log_bytes);
    uint8_t *before = malloc(bytes);
    struct cprof_snapshot base, end;

    EXPECT(before);
    memcpy(before, segment.base, bytes);
    for (unsigned i = 0; i < 4 * sizeof(ways) / sizeof(*ways); i++) {
        for (unsigned has_end = 0; has_end < 2; has_end++) {
            look(&base, i & 1);
            look(&end, i & 2);
            EXPECT(i & 1 || base.slots[0].stack_count > STACKS / 2);
            ways[i / 4]();
            make_and_pack(&window, &base, has_end ? &end : NULL);
            memcpy(segment.base, before, bytes);
            cprof_snapshot_reset(&base);
            cprof_snapshot_reset(&end);
        }
    }
    free(before);
}

static void any_mutation_is_survived(uint64_t mutations)
{
    struct change changes[CHANGES_MAX];
    uint8_t control[sizeof(struct cprof_control)];

    memcpy(control, segment.base, sizeof(control));
    for (uint64_t round = 0; round < mutations; round++) {
        unsigned count = 1 + (unsigned)below(CHANGES_MAX);

        for (unsigned i = 0; i < count; i++) {
            make_change(&changes[i]);
        }
        read_and_merge(round % 2 ? CPROF_KIND_WALL : CPROF_KIND_CPU);
        if (round % WHOLE_EACH == 0) {
            harvest();
        }
        while (count > 0) {
            undo_change(&changes[--count]);
        }
        memcpy(segment.base, control, sizeof(control));
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = 0, mutations = MUTATIONS_DEFAULT;

    EXPECT(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 0);
    }
    if (argc > 2) {
        mutations = strtoull(argv[2], NULL, 0);
    }
    random_state = seed | 1;
    (void)printf("seed %#" PRIx64 ", %" PRIu64 " mutations\n", seed, mutations);
    (void)fflush(stdout);
    (void)alarm(SECONDS_MAX);
    write_segment();
    a_log_that_is_another_one_behind_each_look_is_survived();
    any_mutation_is_survived(mutations);
    (void)printf("%" PRIu64 " stacks accepted, %" PRIu64 " records rejected\n", accepted, rejected);
    EXPECT(accepted > mutations && rejected > mutations / 10);
    fake_segment_close(&segment);
    return 0;
}
