/* recorder.c - see recorder.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "recorder.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "../python/code_object.h"
#include "../python/text.h"
#include "known_text.h"

#define CODE_ENTRIES  16384u /* 384 KiB; only what is used is ever touched */
#define STACK_ENTRIES 32768u /* 768 KiB */
#define LEAF_ENTRIES  32768u

#define ENTRIES (CODE_ENTRIES + STACK_ENTRIES + LEAF_ENTRIES)

/* Raw and resolved stacks and chains of tags share a table; these keep their keys apart. */
#define RAW_SEED      UINT64_C(0x243F6A8885A308D3)
#define RESOLVED_SEED UINT64_C(0x13198A2E03707344)
#define TAG_SEED      UINT64_C(0x082EFA98EC4E6C89)

/* Of the table of leaves. */
#define LEAF_SEED UINT64_C(0x082EFA98EC4E6C89)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    __extension__ unsigned __int128 product =
        (__extension__(unsigned __int128)(hash ^ word)) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ UINT64_C(0xA4093822299F31D0);
}

static uint64_t as_key(uint64_t hash)
{
    return hash < CPROF_INTERN_KEY_MIN ? hash + CPROF_INTERN_KEY_MIN : hash;
}

static uint32_t choose_leaves_max(uint64_t log_bytes)
{
    uint64_t fitting = log_bytes / CPROF_LEAF_LOG_PART / sizeof(struct cprof_leaf_record);

    return fitting < CPROF_LEAVES_MAX ? (uint32_t)fitting : CPROF_LEAVES_MAX;
}

/* Takes a table of `entries` from `memory`; returns what is left. */
static uint8_t *place_table(struct cprof_intern_table *table, uint8_t *memory, uint32_t entries)
{
    table->entries = (struct cprof_intern_entry *)(void *)memory;
    table->mask = entries - 1;
    return memory + entries * sizeof(struct cprof_intern_entry);
}

bool cprof_recorder_create(struct cprof_recorder *recorder, const struct cprof_python *python,
                           struct cprof_slot *slot, uint8_t *log, uint64_t log_bytes,
                           uint32_t max_depth)
{
    uint64_t frames_bytes =
        max_depth * (sizeof(struct cprof_raw_frame) + sizeof(struct cprof_frame));
    uint8_t *next;

    *recorder = (struct cprof_recorder){
        .python = python,
        .slot = slot,
        .log = log,
        .log_bytes = log_bytes,
        .max_depth = max_depth,
        .leaves_max = choose_leaves_max(log_bytes),
        .memory_bytes = ENTRIES * sizeof(struct cprof_intern_entry) +
                        CPROF_CONTEXTS_MAX * (sizeof(struct cprof_context) + frames_bytes),
    };
    recorder->memory = mmap(NULL, recorder->memory_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (recorder->memory == MAP_FAILED) {
        recorder->memory = NULL;
        return false;
    }
    /* Huge pages would make a touched entry cost 2 MiB. */
    (void)madvise(recorder->memory, recorder->memory_bytes, MADV_NOHUGEPAGE);
    next = place_table(&recorder->codes, recorder->memory, CODE_ENTRIES);
    next = place_table(&recorder->stacks, next, STACK_ENTRIES);
    next = place_table(&recorder->leaves, next, LEAF_ENTRIES);
    recorder->contexts = (struct cprof_context *)(void *)next;
    return true;
}

void cprof_recorder_destroy(struct cprof_recorder *recorder)
{
    if (recorder->memory) {
        (void)munmap(recorder->memory, recorder->memory_bytes);
        recorder->memory = NULL;
    }
}

static void forget_everything(struct cprof_recorder *recorder)
{
    /* Refused where the app locks its memory (mlockall). */
    if (madvise(recorder->memory, recorder->memory_bytes, MADV_DONTNEED) != 0) {
        memset(recorder->memory, 0, recorder->memory_bytes);
    }
}

void cprof_recorder_begin(struct cprof_recorder *recorder, uint32_t epoch, uint32_t incarnation)
{
    uint8_t *scratch = (uint8_t *)(recorder->contexts + CPROF_CONTEXTS_MAX);

    for (uint32_t i = 0; i < CPROF_CONTEXTS_MAX; i++) {
        struct cprof_context *context = &recorder->contexts[i];

        context->raw = (struct cprof_raw_frame *)(void *)scratch;
        scratch += recorder->max_depth * sizeof(struct cprof_raw_frame);
        context->resolved = (struct cprof_frame *)(void *)scratch;
        scratch += recorder->max_depth * sizeof(struct cprof_frame);
        cprof_log_writer_init(&context->writer, recorder->slot, recorder->log, recorder->log_bytes,
                              epoch, incarnation);
        atomic_store(&context->busy, 0);
    }
    atomic_store(&recorder->leaf_count, 0);
    atomic_store(&recorder->generation, 1);
    atomic_store(&recorder->active, 1);
}

void cprof_recorder_end(struct cprof_recorder *recorder)
{
    atomic_store(&recorder->active, 0);
    forget_everything(recorder);
}

struct cprof_context *cprof_context_acquire(struct cprof_recorder *recorder)
{
    for (uint32_t i = 0; i < CPROF_CONTEXTS_MAX; i++) {
        struct cprof_context *context = &recorder->contexts[i];
        uint32_t idle = 0;

        if (atomic_load_explicit(&context->busy, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(&context->busy, &idle, 1)) {
            context->deaths_expected = -1;
            return context;
        }
    }
    return NULL;
}

void cprof_context_release(struct cprof_context *context)
{
    atomic_store_explicit(&context->busy, 0, memory_order_release);
}

static uint32_t record_tag(struct cprof_context *context, uint32_t parent_ref,
                           const struct cprof_tag_text *text)
{
    struct cprof_tag_record *tag =
        cprof_log_reserve(&context->writer, CPROF_RECORD_TAG,
                          (uint32_t)sizeof(*tag) + text->key_bytes + text->value_bytes);

    if (!tag) {
        return CPROF_NO_REF;
    }
    tag->parent_ref = parent_ref;
    tag->key_bytes = (uint16_t)text->key_bytes;
    tag->value_bytes = (uint16_t)text->value_bytes;
    memcpy(tag + 1, text->key, text->key_bytes);
    memcpy((char *)(tag + 1) + text->key_bytes, text->value, text->value_bytes);
    return cprof_log_publish(&context->writer);
}

uint32_t cprof_record_tag(struct cprof_context *context, uint32_t parent_ref, const char *key,
                          const char *value)
{
    struct cprof_tag_text text = {
        .key = key,
        .value = value,
        .key_bytes = (uint32_t)strnlen(key, CPROF_NAME_BYTES_MAX),
        .value_bytes = (uint32_t)strnlen(value, CPROF_NAME_BYTES_MAX),
    };

    return record_tag(context, parent_ref, &text);
}

/* Copies the line table, part after part. A table that is absurdly long is left out, which is
 * counted, and the first line serves. */
static enum cprof_recorded record_lines(struct cprof_recorder *recorder,
                                        struct cprof_context *context,
                                        const struct cprof_code_object *code, uint32_t *lines_ref)
{
    *lines_ref = CPROF_NO_REF;
    if (code->line_table_bytes > CPROF_LINE_TABLE_BYTES_MAX) {
        atomic_fetch_add_explicit(&recorder->slot->counters[CPROF_COUNTER_LINES_LEFT_OUT], 1,
                                  memory_order_relaxed);
        return CPROF_RECORDED;
    }
    for (uint64_t done = 0; done < code->line_table_bytes;) {
        uint64_t rest = code->line_table_bytes - done;
        uint32_t part_bytes =
            rest < CPROF_LINES_PART_BYTES_MAX ? (uint32_t)rest : CPROF_LINES_PART_BYTES_MAX;
        struct cprof_lines_record *lines = cprof_log_reserve(&context->writer, CPROF_RECORD_LINES,
                                                             (uint32_t)sizeof(*lines) + part_bytes);

        if (!lines) {
            return CPROF_RECORDED_LOG_FULL;
        }
        if (!cprof_peek_bytes(context->way, lines + 1, code->line_table + done, part_bytes)) {
            return CPROF_RECORDED_UNREADABLE;
        }
        lines->previous_ref = *lines_ref;
        lines->part_bytes = part_bytes;
        *lines_ref = cprof_log_publish(&context->writer);
        done += part_bytes;
    }
    return CPROF_RECORDED;
}

/* Copies the three texts into the context. */
static void copy_texts(const struct cprof_python_layout *layout, struct cprof_context *context,
                       const struct cprof_code_object *code, struct cprof_code_record *sizes)
{
    sizes->name_bytes = (uint16_t)cprof_text_copy(layout, context->way, code->name, context->name,
                                                  sizeof(context->name));
    sizes->qualified_name_bytes =
        !code->qualified_name
            ? 0
            : (uint16_t)cprof_text_copy(layout, context->way, code->qualified_name,
                                        context->qualified_name, sizeof(context->qualified_name));
    sizes->file_bytes = (uint16_t)cprof_text_copy(layout, context->way, code->file, context->file,
                                                  sizeof(context->file));
}

static enum cprof_recorded record_code(struct cprof_recorder *recorder,
                                       struct cprof_context *context,
                                       const struct cprof_code_object *code, uint32_t *ref)
{
    const struct cprof_python_layout *layout = &recorder->python->layout;
    struct cprof_code_record sizes, *record;
    uint32_t lines_ref;
    enum cprof_recorded outcome = record_lines(recorder, context, code, &lines_ref);
    char *text;

    if (outcome != CPROF_RECORDED) {
        return outcome;
    }
    copy_texts(layout, context, code, &sizes);
    record = cprof_log_reserve(&context->writer, CPROF_RECORD_CODE,
                               (uint32_t)sizeof(*record) + sizes.name_bytes +
                                   sizes.qualified_name_bytes + sizes.file_bytes);
    if (!record) {
        return CPROF_RECORDED_LOG_FULL;
    }
    record->first_line = code->first_line;
    record->line_format = lines_ref == CPROF_NO_REF ? CPROF_LINES_NONE : layout->line_format;
    record->lines_ref = lines_ref;
    record->line_table_bytes = lines_ref == CPROF_NO_REF ? 0 : (uint32_t)code->line_table_bytes;
    record->name_bytes = sizes.name_bytes;
    record->qualified_name_bytes = sizes.qualified_name_bytes;
    record->file_bytes = sizes.file_bytes;
    text = (char *)(record + 1);
    memcpy(text, context->name, sizes.name_bytes);
    text += sizes.name_bytes;
    memcpy(text, context->qualified_name, sizes.qualified_name_bytes);
    text += sizes.qualified_name_bytes;
    memcpy(text, context->file, sizes.file_bytes);
    *ref = cprof_log_publish(&context->writer);
    return CPROF_RECORDED;
}

static bool nothing_died(const struct cprof_recorder *recorder, const struct cprof_context *context)
{
    return context->deaths_expected < 0 ||
           context->deaths_expected == (int64_t)atomic_load(&recorder->deaths);
}

/* The reference of the code object at `address`, written to the log if it is new.
 * *first_traceable_byte: see code_object.h. */
static enum cprof_recorded intern_code(struct cprof_recorder *recorder,
                                       struct cprof_context *context, uintptr_t address,
                                       uint32_t *ref, uint32_t *first_traceable_byte)
{
    struct cprof_code_object code;
    enum cprof_recorded outcome;

    *ref = cprof_intern_find(&recorder->codes, address, first_traceable_byte);
    if (*ref != CPROF_NO_REF) {
        return CPROF_RECORDED;
    }
    if (!cprof_code_object_read(recorder->python, context->way, address, &code)) {
        return CPROF_RECORDED_UNREADABLE;
    }
    outcome = record_code(recorder, context, &code, ref);
    if (outcome == CPROF_RECORDED && !nothing_died(recorder, context)) {
        return CPROF_RECORDED_UNREADABLE; /* whose texts these are is not known */
    }
    if (outcome == CPROF_RECORDED) {
        *first_traceable_byte = code.first_traceable_byte;
        /* A full table only costs log space: the next tick writes the code object again. */
        (void)cprof_intern_add_lasting(&recorder->codes, address, *ref, code.first_traceable_byte);
    }
    return outcome;
}

static bool is_complete(const struct cprof_raw_frame *frame, uint32_t first_traceable_byte)
{
    return frame->owner == 1 || frame->byte_offset >= (int32_t)first_traceable_byte;
}

/* Fills context->resolved; *depth is the number of frames that a programmer would see. */
static enum cprof_recorded resolve(struct cprof_recorder *recorder, struct cprof_context *context,
                                   const struct cprof_sample *sample, uint32_t *depth)
{
    *depth = 0;
    for (uint32_t i = 0; i < sample->depth; i++) {
        const struct cprof_raw_frame *raw = &context->raw[i];
        uint32_t ref, first_traceable_byte;
        enum cprof_recorded outcome =
            intern_code(recorder, context, raw->code, &ref, &first_traceable_byte);

        if (outcome != CPROF_RECORDED) {
            return outcome;
        }
        if (is_complete(raw, first_traceable_byte)) {
            context->resolved[(*depth)++] =
                (struct cprof_frame){.code_ref = ref, .byte_offset = raw->byte_offset};
        }
    }
    return CPROF_RECORDED;
}

static uint64_t hash_sample(uint64_t seed, const struct cprof_sample *sample)
{
    uint64_t kind = (uint64_t)sample->kind << 16 | (uint64_t)sample->gil << 8 | sample->flags;

    uint64_t request = (uint64_t)sample->request << 32;

    return mix(mix(mix(seed, (uint64_t)sample->system_call << 32 | sample->tag_ref),
                   (uint64_t)sample->state << 32 | kind),
               request);
}

static uint64_t hash_tags(uint64_t hash, const struct cprof_tag_list *tags)
{
    for (uint32_t i = 0; tags && i < tags->count; i++) {
        hash = mix(hash, tags->ids[i]);
    }
    return hash;
}

static uint64_t raw_key(const struct cprof_context *context, const struct cprof_sample *sample,
                        uint32_t generation)
{
    uint64_t hash = mix(hash_tags(hash_sample(RAW_SEED, sample), sample->tags), generation);

    for (uint32_t i = 0; i < sample->depth; i++) {
        const struct cprof_raw_frame *raw = &context->raw[i];

        hash = mix(hash, raw->code);
        hash = mix(hash, (uint64_t)(uint32_t)raw->byte_offset << 1 | raw->owner);
    }
    return as_key(hash);
}

static uint64_t resolved_key(const struct cprof_context *context, const struct cprof_sample *sample,
                             uint32_t depth)
{
    uint64_t hash = hash_sample(RESOLVED_SEED, sample);

    for (uint32_t i = 0; i < depth; i++) {
        hash = mix(hash, (uint64_t)context->resolved[i].code_ref << 32 |
                             (uint32_t)context->resolved[i].byte_offset);
    }
    return as_key(hash);
}

static uint32_t record_stack(struct cprof_context *context, const struct cprof_sample *sample,
                             uint32_t depth)
{
    struct cprof_stack_record *stack =
        cprof_log_reserve(&context->writer, CPROF_RECORD_STACK,
                          (uint32_t)(sizeof(*stack) + depth * sizeof(struct cprof_frame)));

    if (!stack) {
        return CPROF_NO_REF;
    }
    stack->tag_ref = sample->tag_ref;
    stack->depth = (uint16_t)depth;
    stack->kind = (uint8_t)sample->kind;
    stack->flags = sample->flags;
    stack->state = sample->state;
    stack->request = sample->request;
    stack->gil = sample->gil;
    stack->system_call = sample->system_call;
    memcpy(stack->frames, context->resolved, depth * sizeof(struct cprof_frame));
    return cprof_log_publish(&context->writer);
}

/* The record of one tag more than parent_ref's, written if it is new; CPROF_NO_REF: the log is
 * full. A number that is no tag's adds none. */
static uint32_t intern_tag(struct cprof_recorder *recorder, struct cprof_context *context,
                           uint32_t parent_ref, uint32_t tag)
{
    uint64_t key = as_key(mix(mix(TAG_SEED, parent_ref), tag));
    struct cprof_tag_text text;
    uint32_t note, ref = cprof_intern_find(&recorder->stacks, key, &note);

    if (ref != CPROF_NO_REF) {
        return ref;
    }
    if (!cprof_tag_text(tag, &text)) {
        return parent_ref;
    }
    ref = record_tag(context, parent_ref, &text);
    if (ref != CPROF_NO_REF) {
        (void)cprof_intern_add_lasting(&recorder->stacks, key, ref, CPROF_INTERN_LASTING);
    }
    return ref;
}

/* The sample with the tags of the moment in its tag_ref. False: the log is full. */
static bool attach_tags(struct cprof_recorder *recorder, struct cprof_context *context,
                        const struct cprof_sample *sample, struct cprof_sample *tagged)
{
    *tagged = *sample;
    tagged->tags = NULL;
    for (uint32_t i = 0; sample->tags && i < sample->tags->count; i++) {
        tagged->tag_ref = intern_tag(recorder, context, tagged->tag_ref, sample->tags->ids[i]);
        if (tagged->tag_ref == CPROF_NO_REF) {
            return false;
        }
    }
    return true;
}

/* The stack's record, by its resolved frames: the same one whatever generation met it. */
static enum cprof_recorded intern_stack(struct cprof_recorder *recorder,
                                        struct cprof_context *context,
                                        const struct cprof_sample *sample, uint32_t generation,
                                        uint32_t *ref)
{
    uint32_t depth, note;
    uint64_t key;
    enum cprof_recorded outcome = resolve(recorder, context, sample, &depth);

    if (outcome != CPROF_RECORDED) {
        return outcome;
    }
    key = resolved_key(context, sample, depth);
    *ref = cprof_intern_find(&recorder->stacks, key, &note);
    if (*ref != CPROF_NO_REF) {
        return CPROF_RECORDED;
    }
    *ref = record_stack(context, sample, depth);
    if (*ref == CPROF_NO_REF) {
        return CPROF_RECORDED_LOG_FULL;
    }
    (void)cprof_intern_add(&recorder->stacks, key, *ref, CPROF_INTERN_LASTING, generation);
    return CPROF_RECORDED;
}

/* Room for one leaf record more, which nobody else is given. */
static bool claim_leaf(struct cprof_recorder *recorder)
{
    uint32_t count = atomic_load_explicit(&recorder->leaf_count, memory_order_relaxed);

    do {
        if (count >= recorder->leaves_max) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&recorder->leaf_count, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static uint32_t record_leaf(struct cprof_recorder *recorder, struct cprof_context *context,
                            uint32_t stack_ref, uintptr_t pc)
{
    struct cprof_leaf_record *leaf =
        claim_leaf(recorder)
            ? cprof_log_reserve(&context->writer, CPROF_RECORD_LEAF, (uint32_t)sizeof(*leaf))
            : NULL;

    if (!leaf) {
        return CPROF_NO_REF;
    }
    leaf->stack_ref = stack_ref;
    leaf->incarnation = context->writer.incarnation;
    leaf->pc = pc;
    return cprof_log_publish(&context->writer);
}

/* The record of a stack that was met at `pc`, or CPROF_NO_REF without room. */
static uint32_t find_leaf(struct cprof_recorder *recorder, struct cprof_context *context,
                          uint32_t stack_ref, uintptr_t pc)
{
    uint64_t key = as_key(mix(mix(LEAF_SEED, stack_ref), pc));
    uint32_t note, ref = cprof_intern_find(&recorder->leaves, key, &note);

    if (ref == CPROF_NO_REF) {
        ref = record_leaf(recorder, context, stack_ref, pc);
        if (ref == CPROF_NO_REF) {
            atomic_fetch_add_explicit(&recorder->slot->counters[CPROF_COUNTER_LEAVES_LEFT_OUT], 1,
                                      memory_order_relaxed);
            return ref;
        }
        (void)cprof_intern_add_lasting(&recorder->leaves, key, ref, 0);
        cprof_known_text_note(pc);
    }
    return ref;
}

/* The three numbers of a record. */
struct numbers {
    _Atomic uint64_t *count, *weight_ns, *timer_weight_ns;
};

static struct numbers numbers_of(struct cprof_recorder *recorder, struct cprof_context *context,
                                 uint32_t ref, const struct cprof_sample *sample)
{
    struct cprof_stack_record *stack = cprof_log_record(recorder->log, ref);
    uint32_t leaf_ref = CPROF_NO_REF;

    if (sample->leaf_pc) {
        leaf_ref = find_leaf(recorder, context, ref, sample->leaf_pc);
    }
    if (leaf_ref != CPROF_NO_REF) {
        struct cprof_leaf_record *leaf = cprof_log_record(recorder->log, leaf_ref);

        return (struct numbers){&leaf->count, &leaf->weight_ns, &leaf->timer_weight_ns};
    }
    return (struct numbers){&stack->count, &stack->weight_ns, &stack->timer_weight_ns};
}

static void count(struct cprof_recorder *recorder, struct cprof_context *context, uint32_t ref,
                  const struct cprof_sample *sample)
{
    struct numbers numbers = numbers_of(recorder, context, ref, sample);

    if (sample->timer_weight_ns > 0) {
        atomic_fetch_add_explicit(numbers.timer_weight_ns, sample->timer_weight_ns,
                                  memory_order_relaxed);
    }
    if (sample->weight_ns == 0) {
        return;
    }
    atomic_fetch_add_explicit(numbers.weight_ns, sample->weight_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(numbers.count, 1, memory_order_release);
}

static bool has_other(const struct cprof_tag_list *tags)
{
    for (uint32_t i = 0; i < tags->count; i++) {
        if (cprof_tag_is_other(tags->ids[i])) {
            return true;
        }
    }
    return false;
}

/* What found no room when the app set it. */
static void count_overflow(struct cprof_recorder *recorder, const struct cprof_tag_list *tags)
{
    _Atomic uint64_t *counters = recorder->slot->counters;

    if (tags && has_other(tags)) {
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_TAG_OVERFLOWS], 1, memory_order_relaxed);
    }
    if (tags && tags->lacks_one) {
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_TAGS_LOST], 1, memory_order_relaxed);
    }
}

static enum cprof_recorded find(struct cprof_recorder *recorder, struct cprof_context *context,
                                const struct cprof_sample *sample, uint32_t *ref)
{
    uint32_t generation = atomic_load_explicit(&recorder->generation, memory_order_acquire);
    uint64_t key = raw_key(context, sample, generation);
    struct cprof_sample tagged;
    enum cprof_recorded outcome;
    uint32_t note;

    count_overflow(recorder, sample->tags);
    *ref = cprof_intern_find(&recorder->stacks, key, &note);
    if (*ref != CPROF_NO_REF) {
        return CPROF_RECORDED;
    }
    if (!attach_tags(recorder, context, sample, &tagged)) {
        return CPROF_RECORDED_LOG_FULL;
    }
    outcome = intern_stack(recorder, context, &tagged, generation, ref);
    if (outcome == CPROF_RECORDED) {
        (void)cprof_intern_add(&recorder->stacks, key, *ref, generation, generation);
    }
    return outcome;
}

void cprof_record_expect(struct cprof_recorder *recorder, struct cprof_context *context)
{
    context->deaths_expected = (int64_t)atomic_load(&recorder->deaths);
}

static void take_back(struct cprof_recorder *recorder, const struct cprof_context *context,
                      const struct cprof_sample *sample)
{
    for (uint32_t i = 0; i < sample->depth; i++) {
        (void)cprof_intern_retire(&recorder->codes, context->raw[i].code);
    }
    atomic_fetch_add_explicit(&recorder->generation, 1, memory_order_release);
}

enum cprof_recorded cprof_record_find(struct cprof_recorder *recorder,
                                      struct cprof_context *context,
                                      const struct cprof_sample *sample, uint32_t *ref)
{
    enum cprof_recorded outcome = find(recorder, context, sample, ref);

    if (nothing_died(recorder, context)) {
        return outcome;
    }
    take_back(recorder, context, sample);
    *ref = CPROF_NO_REF;
    return CPROF_RECORDED_UNREADABLE;
}

enum cprof_recorded cprof_record_sample(struct cprof_recorder *recorder,
                                        struct cprof_context *context,
                                        const struct cprof_sample *sample)
{
    _Atomic uint64_t *counters = recorder->slot->counters;
    uint32_t ref;
    enum cprof_recorded outcome = find(recorder, context, sample, &ref);

    if (outcome == CPROF_RECORDED) {
        count(recorder, context, ref, sample);
    } else if (outcome == CPROF_RECORDED_LOG_FULL && sample->weight_ns > 0) {
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_LOG_FULL_NS], sample->weight_ns,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&counters[CPROF_COUNTER_LOG_FULL], 1, memory_order_relaxed);
    }
    return outcome;
}

int64_t cprof_record_add(struct cprof_recorder *recorder, uint32_t ref, int64_t change_ns,
                         uint64_t count)
{
    struct cprof_stack_record *stack = cprof_log_record(recorder->log, ref);
    uint64_t weight_ns = atomic_load_explicit(&stack->weight_ns, memory_order_relaxed);

    if (change_ns < 0 && weight_ns < (uint64_t)-change_ns) {
        change_ns = -(int64_t)weight_ns;
    }
    atomic_store_explicit(&stack->weight_ns, weight_ns + (uint64_t)change_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&stack->count, count, memory_order_release);
    return change_ns;
}

void cprof_record_add_wait(struct cprof_recorder *recorder, uint32_t ref, uint64_t waited_ns)
{
    struct cprof_stack_record *stack = cprof_log_record(recorder->log, ref);

    atomic_fetch_add_explicit(&stack->timer_weight_ns, waited_ns, memory_order_relaxed);
}

/* Counted first, looked up second: whoever adds an entry first and reads the counter second
 * cannot miss the death of what it has just added. */
void cprof_recorder_retire(struct cprof_recorder *recorder, uintptr_t address)
{
    if (!atomic_load_explicit(&recorder->active, memory_order_acquire)) {
        return;
    }
    atomic_fetch_add(&recorder->deaths, 1);
    if (cprof_intern_retire(&recorder->codes, address)) {
        atomic_fetch_add_explicit(&recorder->generation, 1, memory_order_release);
    }
}
