/* log_reader.c - see log_reader.h.
 *
 * Two passes over the copy. The first walks each chunk and marks where a record starts that is
 * sound in itself. The second looks at the references of the stacks: several writers share a
 * log, so that a record may name one that lies behind it, in a chunk claimed later; the marks
 * must be complete before any reference is judged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log_reader.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/segment/counters.h"

/* Of all stacks that leaves stand on, counted for each leaf: as many leaves as a log may have, with
 * the deepest stacks that are common. Without a bound a small log could make a huge profile. */
#define LEAF_FRAMES_MAX (CPROF_LEAVES_MAX * 512u)

/* The process that wrote the chunk that was looked at last. */
struct last_writer {
    bool any;
    uint32_t incarnation;
};

static const void *record_at(const struct cprof_log_view *view, uint32_t ref)
{
    return view->bytes + (size_t)ref * 8;
}

static bool is_sound(const struct cprof_log_view *view, uint32_t ref, enum cprof_record_type type)
{
    return ref < view->byte_count / 8 && view->types[ref] == type;
}

static bool lines_record_is_sound(const struct cprof_lines_record *lines)
{
    return lines->record.bytes >= sizeof(*lines) && lines->part_bytes >= 1 &&
           lines->part_bytes <= CPROF_LINES_PART_BYTES_MAX &&
           lines->part_bytes <= lines->record.bytes - sizeof(*lines);
}

static bool code_record_is_sound(const struct cprof_code_record *code)
{
    return code->record.bytes >= sizeof(*code) && code->name_bytes <= CPROF_NAME_BYTES_MAX &&
           code->qualified_name_bytes <= CPROF_NAME_BYTES_MAX &&
           code->file_bytes <= CPROF_NAME_BYTES_MAX &&
           (uint32_t)code->name_bytes + code->qualified_name_bytes + code->file_bytes <=
               code->record.bytes - sizeof(*code);
}

static bool tag_record_is_sound(const struct cprof_tag_record *tag)
{
    return tag->record.bytes >= sizeof(*tag) && tag->key_bytes >= 1 &&
           tag->key_bytes <= CPROF_NAME_BYTES_MAX && tag->value_bytes <= CPROF_NAME_BYTES_MAX &&
           (uint32_t)tag->key_bytes + tag->value_bytes <= tag->record.bytes - sizeof(*tag);
}

static bool stack_record_is_sound(const struct cprof_stack_record *stack)
{
    return stack->record.bytes >= sizeof(*stack) && stack->depth <= CPROF_DEPTH_MAX &&
           stack->depth * sizeof(struct cprof_frame) <= stack->record.bytes - sizeof(*stack) &&
           stack->kind >= CPROF_STACK_ON_CPU && stack->kind <= CPROF_STACK_RUNNABLE &&
           (stack->kind != CPROF_STACK_RUNNABLE || stack->depth == 0);
}

static bool leaf_record_is_sound(const struct cprof_leaf_record *leaf)
{
    return leaf->record.bytes >= sizeof(*leaf);
}

static bool mapping_record_is_sound(const struct cprof_mapping_record *mapping)
{
    return mapping->record.bytes >= sizeof(*mapping) && mapping->start < mapping->end &&
           mapping->path_bytes <= CPROF_MAPPING_PATH_BYTES_MAX &&
           mapping->path_bytes <= mapping->record.bytes - sizeof(*mapping) &&
           !memchr(mapping + 1, '\0', mapping->path_bytes);
}

/* `record` has its full length in the copy, and at least a header. The smallest record of each
 * type is looked at for its length before any other field. */
static bool record_is_sound(const struct cprof_record *record)
{
    const void *body = record;

    switch (record->type) {
    case CPROF_RECORD_LINES:
        return lines_record_is_sound(body);
    case CPROF_RECORD_CODE:
        return code_record_is_sound(body);
    case CPROF_RECORD_TAG:
        return tag_record_is_sound(body);
    case CPROF_RECORD_STACK:
        return stack_record_is_sound(body);
    case CPROF_RECORD_LEAF:
        return leaf_record_is_sound(body);
    case CPROF_RECORD_MAPPING:
        return mapping_record_is_sound(body);
    default:
        return false;
    }
}

/* Marks the sound records of a copied chunk. A bad length ends the walk: behind it, nothing can
 * be told apart. Returns the number of stacks and leaves. */
static size_t mark_records(struct cprof_log_view *view, size_t chunk_offset, uint32_t fill)
{
    size_t at = chunk_offset + sizeof(struct cprof_chunk);
    size_t end = at + fill;
    size_t stacks = 0;

    while (end - at >= sizeof(struct cprof_record)) {
        const struct cprof_record *record = record_at(view, (uint32_t)(at / 8));

        if (record->bytes < sizeof(*record) || record->bytes % 8 != 0 || record->bytes > end - at) {
            view->rejected++;
            return stacks;
        }
        if (record_is_sound(record)) {
            view->types[at / 8] = (uint8_t)record->type;
            stacks += record->type == CPROF_RECORD_STACK || record->type == CPROF_RECORD_LEAF;
        } else {
            view->rejected++;
        }
        at += record->bytes;
    }
    return stacks;
}

static void add_saturating(uint64_t *sum, uint64_t value)
{
    *sum = value < UINT64_MAX - *sum ? *sum + value : UINT64_MAX;
}

void cprof_log_add_to_rest(struct cprof_log_view *view, enum cprof_rest rest,
                           const struct cprof_log_numbers *numbers)
{
    struct cprof_log_numbers *sum = &view->rest[rest];

    add_saturating(&sum->count, numbers->count);
    add_saturating(&sum->weight_ns, numbers->weight_ns);
    add_saturating(&sum->timer_weight_ns, numbers->timer_weight_ns);
    view->rest_stacks[rest]++;
}

/* A stack off the CPU that nobody lists is not looked at for what it waits in. */
static void sum_up_stack(struct cprof_log_view *view, const struct cprof_stack_record *stack)
{
    const struct cprof_log_numbers numbers = {stack->count, stack->weight_ns,
                                              stack->timer_weight_ns};

    if (stack->kind == CPROF_STACK_ON_CPU) {
        if (numbers.count > 0 || numbers.timer_weight_ns > 0) {
            cprof_log_add_to_rest(view, CPROF_REST_ON_CPU, &numbers);
        }
    } else if (numbers.weight_ns > 0) {
        cprof_log_add_to_rest(view,
                              stack->kind == CPROF_STACK_RUNNABLE ? CPROF_REST_RUNNABLE
                              : stack->flags & CPROF_STACK_IDLE   ? CPROF_REST_IDLE
                                                                  : CPROF_REST_OFF_CPU,
                              &numbers);
    }
}

static void sum_up_leaf(struct cprof_log_view *view, const struct cprof_leaf_record *leaf)
{
    const struct cprof_log_numbers numbers = {leaf->count, leaf->weight_ns, leaf->timer_weight_ns};

    if (numbers.count > 0 || numbers.timer_weight_ns > 0) {
        cprof_log_add_to_rest(view, CPROF_REST_ON_CPU, &numbers);
    }
}

/* One chunk, in the place of the first one. */
static void sum_up_records(struct cprof_log_view *view, uint32_t fill)
{
    size_t at = sizeof(struct cprof_chunk), end = at + fill;

    while (end - at >= sizeof(struct cprof_record)) {
        const struct cprof_record *record = record_at(view, (uint32_t)(at / 8));
        const void *body = record;

        if (record->bytes < sizeof(*record) || record->bytes % 8 != 0 || record->bytes > end - at) {
            view->rejected++;
            return;
        }
        if (!record_is_sound(record)) {
            view->rejected++;
        } else if (record->type == CPROF_RECORD_STACK) {
            sum_up_stack(view, body);
        } else if (record->type == CPROF_RECORD_LEAF) {
            sum_up_leaf(view, body);
        }
        at += record->bytes;
    }
}

/* Copies what the chunk at `offset` published to view->bytes + to; returns the number of bytes. How
 * much that is comes first, in a call of its own: all that it counts was written before. */
static uint32_t copy_chunk(struct cprof_log_view *view, const struct cprof_segment *segment,
                           size_t offset, size_t to, uint32_t epoch, uint32_t *incarnation)
{
    const struct cprof_chunk *shared =
        (const void *)(cprof_segment_log(segment, view->slot_index) + offset);
    struct cprof_chunk *chunk = (void *)(view->bytes + to);
    uint32_t published, fill;

    if (!cprof_segment_read(segment, &shared->fill, &published, sizeof(published)) ||
        published == 0) {
        return 0; /* claimed, and nothing written yet or ever */
    }
    fill = published < CPROF_CHUNK_PAYLOAD_BYTES ? published & ~7u : CPROF_CHUNK_PAYLOAD_BYTES;
    if (!cprof_segment_read(segment, shared, chunk, sizeof(*chunk) + fill) ||
        chunk->epoch != epoch) {
        view->rejected++;
        return 0;
    }
    view->rejected += fill != published;
    *incarnation = chunk->incarnation;
    return fill;
}

/* Looks at the processes of chunks that say something. */
static void note_writer(struct cprof_log_view *view, struct last_writer *last, uint32_t incarnation)
{
    view->successors = view->successors || (last->any && incarnation != last->incarnation);
    *last = (struct last_writer){.any = true, .incarnation = incarnation};
}

/* What lies behind the part that is copied, chunk by chunk, before anything else is. */
static void sum_up_rest(struct cprof_log_view *view, const struct cprof_segment *segment,
                        uint32_t epoch, struct last_writer *last)
{
    for (size_t offset = view->byte_count; offset < view->log_bytes; offset += CPROF_CHUNK_BYTES) {
        uint32_t incarnation = 0;
        uint32_t fill = copy_chunk(view, segment, offset, 0, epoch, &incarnation);

        if (fill > 0) {
            note_writer(view, last, incarnation);
            sum_up_records(view, fill);
        }
        memset(view->bytes, 0, CPROF_CHUNK_BYTES);
    }
}

/* Returns the number of stack and leaf records that are sound in themselves. */
static size_t copy_chunks(struct cprof_log_view *view, const struct cprof_segment *segment,
                          uint32_t epoch, struct last_writer *last)
{
    size_t stacks = 0;

    for (size_t offset = 0; offset < view->byte_count; offset += CPROF_CHUNK_BYTES) {
        uint32_t incarnation = 0;
        uint32_t fill = copy_chunk(view, segment, offset, offset, epoch, &incarnation);

        if (fill == 0) {
            continue;
        }
        note_writer(view, last, incarnation);
        stacks += mark_records(view, offset, fill);
    }
    return stacks;
}

static bool tag_chain_is_sound(const struct cprof_log_view *view, uint32_t ref)
{
    for (unsigned i = 0; i < CPROF_TAGS_PER_STACK_MAX && ref != CPROF_NO_REF; i++) {
        if (!is_sound(view, ref, CPROF_RECORD_TAG)) {
            return false;
        }
        ref = ((const struct cprof_tag_record *)record_at(view, ref))->parent_ref;
    }
    return ref == CPROF_NO_REF;
}

static bool stack_references_are_sound(const struct cprof_log_view *view,
                                       const struct cprof_stack_record *stack)
{
    for (unsigned i = 0; i < stack->depth; i++) {
        if (!is_sound(view, stack->frames[i].code_ref, CPROF_RECORD_CODE)) {
            return false;
        }
    }
    return tag_chain_is_sound(view, stack->tag_ref);
}

/* On the CPU, a count of 0 is a sample in flight, and timer ticks that are no samples stand beside
 * the count. Off it, looks move time between stacks, so that the weight decides, or
 * the part in run-queue time. */
static bool says_something(const struct cprof_log_view *view, uint32_t ref)
{
    struct cprof_log_numbers numbers = cprof_log_numbers(view, ref);

    if (cprof_log_stack(view, ref)->kind == CPROF_STACK_ON_CPU) {
        return numbers.count > 0 || numbers.timer_weight_ns > 0;
    }
    return numbers.weight_ns > 0 || numbers.timer_weight_ns > 0;
}

/* A leaf costs as much as the stack that it stands on, of which there is one copy in the log. */
static bool leaf_references_are_sound(struct cprof_log_view *view,
                                      const struct cprof_leaf_record *leaf)
{
    const struct cprof_stack_record *stack;

    if (!is_sound(view, leaf->stack_ref, CPROF_RECORD_STACK)) {
        return false;
    }
    stack = record_at(view, leaf->stack_ref);
    if (stack->kind != CPROF_STACK_ON_CPU || stack->depth > view->leaf_frames_left) {
        return false;
    }
    view->leaf_frames_left -= stack->depth;
    return true;
}

/* Where a part of the log is not copied, what a record names may lie there: an honest writer's
 * record at the border is summed up as those behind it are. */
static void leave_out_stack(struct cprof_log_view *view, const struct cprof_stack_record *stack)
{
    if (view->byte_count < view->log_bytes) {
        sum_up_stack(view, stack);
    } else {
        view->rejected++;
    }
}

static void leave_out_leaf(struct cprof_log_view *view, const struct cprof_leaf_record *leaf)
{
    if (view->byte_count < view->log_bytes) {
        sum_up_leaf(view, leaf);
    } else {
        view->rejected++;
    }
}

/* Before any leaf is looked at: very many may stand on one stack. */
static void reject_stacks(struct cprof_log_view *view)
{
    for (uint32_t ref = 0; ref < view->byte_count / 8; ref++) {
        if (view->types[ref] == CPROF_RECORD_STACK &&
            !stack_references_are_sound(view, record_at(view, ref))) {
            view->types[ref] = 0;
            leave_out_stack(view, record_at(view, ref));
        }
    }
}

static void list_mapping(struct cprof_log_view *view, uint32_t ref)
{
    if (view->mapping_count < CPROF_MAPPINGS_MAX) {
        view->mappings[view->mapping_count++] = ref;
    } else {
        view->rejected++;
    }
}

/* Lists the mappings, and the stacks and leaves that are to be merged. */
static void list_records(struct cprof_log_view *view)
{
    reject_stacks(view);
    for (uint32_t ref = 0; ref < view->byte_count / 8; ref++) {
        uint8_t type = view->types[ref];

        if (type == CPROF_RECORD_MAPPING) {
            list_mapping(view, ref);
        }
        if (type != CPROF_RECORD_STACK && type != CPROF_RECORD_LEAF) {
            continue;
        }
        if (type == CPROF_RECORD_LEAF && !leaf_references_are_sound(view, record_at(view, ref))) {
            view->types[ref] = 0;
            leave_out_leaf(view, record_at(view, ref));
        } else if (says_something(view, ref)) {
            view->stacks[view->stack_count++] = ref;
        }
    }
}

static void copy_slot(struct cprof_log_view *view, const struct cprof_slot *slot, uint32_t epoch)
{
    view->kind = slot->kind;
    view->number = slot->number;
    if (view->kind < CPROF_SLOT_WORKER || view->kind > CPROF_SLOT_SPOOLER) {
        view->kind = CPROF_SLOT_WORKER;
        view->number = view->slot_index + 1;
        view->rejected++;
    }
    view->closed = atomic_load(&slot->closed_epoch) >= epoch;
    view->settled_ns = atomic_load(&slot->settled_ns);
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        view->counters[i] = atomic_load(&slot->counters[i]);
    }
}

bool cprof_log_read(struct cprof_log_view *view, const struct cprof_segment *segment,
                    uint32_t slot_index, uint32_t epoch, struct cprof_error *error)
{
    return cprof_log_read_part(view, segment, slot_index, epoch, segment->log_bytes, error);
}

bool cprof_log_read_part(struct cprof_log_view *view, const struct cprof_segment *segment,
                         uint32_t slot_index, uint32_t epoch, uint64_t bytes_max,
                         struct cprof_error *error)
{
    const struct cprof_slot *slot = cprof_segment_slot(segment, slot_index);
    uint64_t claim = atomic_load_explicit(&slot->claim, memory_order_acquire);
    uint64_t chunks = claim & UINT32_MAX;
    struct last_writer last = {.any = false};
    size_t stacks;

    *view = (struct cprof_log_view){.slot_index = slot_index};
    copy_slot(view, slot, epoch);
    if (claim >> 32 != epoch) {
        /* The slot sits this epoch out; its counters belong to an older one. */
        *view = (struct cprof_log_view){
            .slot_index = slot_index, .kind = view->kind, .number = view->number};
        return true;
    }
    if (chunks > segment->log_bytes / CPROF_CHUNK_BYTES) {
        chunks = segment->log_bytes / CPROF_CHUNK_BYTES;
        view->rejected++;
    }
    if (chunks == 0) {
        return true;
    }
    view->log_bytes = chunks * CPROF_CHUNK_BYTES;
    bytes_max = bytes_max > CPROF_CHUNK_BYTES ? bytes_max : CPROF_CHUNK_BYTES;
    view->byte_count = view->log_bytes < bytes_max
                           ? view->log_bytes
                           : bytes_max / CPROF_CHUNK_BYTES * CPROF_CHUNK_BYTES;
    view->line_bytes_left = view->byte_count;
    view->leaf_frames_left = LEAF_FRAMES_MAX;
    view->bytes = calloc(1, view->byte_count);
    view->types = calloc(1, view->byte_count / 8);
    if (!view->bytes || !view->types) {
        goto no_memory;
    }
    sum_up_rest(view, segment, epoch, &last);
    stacks = copy_chunks(view, segment, epoch, &last);
    view->stacks = calloc(stacks + 1, sizeof(*view->stacks));
    view->mappings = calloc(CPROF_MAPPINGS_MAX, sizeof(*view->mappings));
    if (!view->stacks || !view->mappings) {
        goto no_memory;
    }
    list_records(view);
    return true;
no_memory:
    cprof_log_view_reset(view);
    return cprof_fail(error, "no memory for a copy of slot %u's log", slot_index);
}

void cprof_log_view_reset(struct cprof_log_view *view)
{
    free(view->bytes);
    free(view->types);
    free(view->stacks);
    free(view->mappings);
    *view = (struct cprof_log_view){0};
}

static void take_off(uint64_t *value, uint64_t earlier)
{
    *value = *value > earlier ? *value - earlier : 0;
}

/* A thread that was met in the window before is not met anew, and is as much without ticks in this
 * one: counts of threads stay. */
static void subtract_counters(struct cprof_log_view *view, const struct cprof_log_view *earlier)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        if (!cprof_counter_text(i).counts_threads) {
            take_off(&view->counters[i], earlier->counters[i]);
        }
    }
}

/* The copy is the view's own: nobody else writes to it. */
static void set_numbers(struct cprof_log_view *view, uint32_t ref,
                        const struct cprof_log_numbers *numbers)
{
    if (view->types[ref] == CPROF_RECORD_LEAF) {
        struct cprof_leaf_record *leaf = (void *)(view->bytes + (size_t)ref * 8);

        leaf->count = numbers->count;
        leaf->weight_ns = numbers->weight_ns;
        leaf->timer_weight_ns = numbers->timer_weight_ns;
    } else {
        struct cprof_stack_record *stack = (void *)(view->bytes + (size_t)ref * 8);

        stack->count = numbers->count;
        stack->weight_ns = numbers->weight_ns;
        stack->timer_weight_ns = numbers->timer_weight_ns;
    }
}

static void take_off_numbers(struct cprof_log_numbers *numbers,
                             const struct cprof_log_numbers *earlier)
{
    take_off(&numbers->count, earlier->count);
    take_off(&numbers->weight_ns, earlier->weight_ns);
    take_off(&numbers->timer_weight_ns, earlier->timer_weight_ns);
}

static void subtract_numbers(struct cprof_log_view *view, const struct cprof_log_base *base)
{
    struct cprof_log_numbers numbers = cprof_log_numbers(view, base->ref);

    take_off_numbers(&numbers, &base->numbers);
    set_numbers(view, base->ref, &numbers);
}

/* Which of the records have something left is not known: each has a sample, where there are any. */
static void subtract_rest(struct cprof_log_view *view, const struct cprof_log_view *earlier,
                          unsigned rest)
{
    struct cprof_log_numbers *left = &view->rest[rest];
    uint64_t stacks_max;

    take_off_numbers(left, &earlier->rest[rest]);
    stacks_max = left->count > 0 ? left->count : left->weight_ns > 0 || left->timer_weight_ns > 0;
    if (view->rest_stacks[rest] > stacks_max) {
        view->rest_stacks[rest] = stacks_max;
    }
}

void cprof_log_subtract(struct cprof_log_view *view, const struct cprof_log_view *earlier,
                        const struct cprof_log_base *bases, size_t count)
{
    size_t kept = 0, next = 0;

    subtract_counters(view, earlier);
    for (unsigned i = 0; i < CPROF_REST_COUNT; i++) {
        subtract_rest(view, earlier, i);
    }
    for (size_t i = 0; i < view->stack_count; i++) {
        uint32_t ref = view->stacks[i];

        while (next < count && bases[next].ref < ref) {
            next++;
        }
        if (next < count && bases[next].ref == ref) {
            subtract_numbers(view, &bases[next]);
        }
        if (says_something(view, ref)) {
            view->stacks[kept++] = ref;
        }
    }
    view->stack_count = kept;
}

void cprof_log_cut(struct cprof_log_view *view, const struct cprof_log_view *earlier,
                   const struct cprof_log_base *bases, size_t count)
{
    size_t kept = 0, next = 0;

    memcpy(view->counters, earlier->counters, sizeof(view->counters));
    view->closed = earlier->closed;
    view->successors = earlier->successors;
    view->settled_ns = earlier->settled_ns;
    memcpy(view->rest, earlier->rest, sizeof(view->rest));
    memcpy(view->rest_stacks, earlier->rest_stacks, sizeof(view->rest_stacks));
    view->is_folded = earlier->is_folded;
    for (size_t i = 0; i < view->stack_count; i++) {
        while (next < count && bases[next].ref < view->stacks[i]) {
            next++;
        }
        if (next < count && bases[next].ref == view->stacks[i]) {
            set_numbers(view, view->stacks[i], &bases[next].numbers);
            view->stacks[kept++] = view->stacks[i];
        }
    }
    view->stack_count = kept;
}

size_t cprof_log_copied_bytes(const struct cprof_log_view *view)
{
    return view->byte_count;
}

uint32_t cprof_log_stack_ref(const struct cprof_log_view *view, uint32_t ref)
{
    return view->types[ref] == CPROF_RECORD_LEAF
               ? ((const struct cprof_leaf_record *)record_at(view, ref))->stack_ref
               : ref;
}

const struct cprof_stack_record *cprof_log_stack(const struct cprof_log_view *view, uint32_t ref)
{
    return record_at(view, cprof_log_stack_ref(view, ref));
}

struct cprof_log_numbers cprof_log_numbers(const struct cprof_log_view *view, uint32_t ref)
{
    if (view->types[ref] == CPROF_RECORD_LEAF) {
        const struct cprof_leaf_record *leaf = record_at(view, ref);

        return (struct cprof_log_numbers){leaf->count, leaf->weight_ns, leaf->timer_weight_ns};
    } else {
        const struct cprof_stack_record *stack = record_at(view, ref);

        return (struct cprof_log_numbers){stack->count, stack->weight_ns, stack->timer_weight_ns};
    }
}

bool cprof_log_leaf(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_leaf *leaf)
{
    const struct cprof_leaf_record *record = record_at(view, ref);

    if (view->types[ref] != CPROF_RECORD_LEAF) {
        return false;
    }
    *leaf = (struct cprof_log_leaf){.pc = record->pc, .incarnation = record->incarnation};
    return true;
}

void cprof_log_mapping(const struct cprof_log_view *view, uint32_t ref,
                       struct cprof_log_mapping *mapping)
{
    const struct cprof_mapping_record *record = record_at(view, ref);

    mapping->start = record->start;
    mapping->end = record->end;
    mapping->file_offset = record->file_offset;
    mapping->inode = record->inode;
    mapping->device_major = record->device_major;
    mapping->device_minor = record->device_minor;
    mapping->incarnation = record->incarnation;
    memcpy(mapping->path, record + 1, record->path_bytes);
    mapping->path[record->path_bytes] = '\0';
}

uint32_t cprof_log_state(const struct cprof_stack_record *stack)
{
    bool is_call = stack->state >= CPROF_STATE_SYSTEM_CALL &&
                   stack->state - CPROF_STATE_SYSTEM_CALL < CPROF_SYSTEM_CALLS_MAX;

    return is_call || (stack->state > CPROF_STATE_NONE && stack->state < CPROF_STATE_COUNT)
               ? stack->state
               : (uint32_t)CPROF_STATE_UNKNOWN;
}

uint32_t cprof_log_thread(const struct cprof_log_view *view, const struct cprof_stack_record *stack)
{
    uint32_t ref = stack->tag_ref, root = ref;

    while (ref != CPROF_NO_REF) {
        root = ref;
        ref = ((const struct cprof_tag_record *)record_at(view, ref))->parent_ref;
    }
    return root;
}

void cprof_log_code(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_code *code)
{
    const struct cprof_code_record *record = record_at(view, ref);
    const char *name = (const char *)(record + 1);
    const char *qualified_name = name + record->name_bytes;
    const char *file = qualified_name + record->qualified_name_bytes;

    code->first_line = record->first_line > 0 ? record->first_line : 0;
    code->line_format = record->line_format;
    (void)cprof_clean_text(code->name, sizeof(code->name), name, record->name_bytes);
    (void)cprof_clean_text(code->qualified_name, sizeof(code->qualified_name), qualified_name,
                           record->qualified_name_bytes);
    (void)cprof_clean_text(code->file, sizeof(code->file), file, record->file_bytes);
}

const char *cprof_log_file(const struct cprof_log_view *view, uint32_t ref, size_t *bytes)
{
    const struct cprof_code_record *record = record_at(view, ref);

    *bytes = record->file_bytes;
    return (const char *)(record + 1) + record->name_bytes + record->qualified_name_bytes;
}

size_t cprof_log_line_table(struct cprof_log_view *view, uint32_t code_ref, uint8_t *table)
{
    const struct cprof_code_record *code = record_at(view, code_ref);
    uint32_t bytes = code->line_table_bytes;
    uint32_t left = bytes;

    if (bytes == 0 || bytes > CPROF_LINE_TABLE_BYTES_MAX || bytes > view->line_bytes_left) {
        return 0;
    }
    /* Before the walk, as one that ends in nothing costs as much. */
    view->line_bytes_left -= bytes;
    /* From the last part to the first. No part is empty, so that a ring of parts ends as well. */
    for (uint32_t ref = code->lines_ref; left > 0;) {
        const struct cprof_lines_record *lines =
            is_sound(view, ref, CPROF_RECORD_LINES) ? record_at(view, ref) : NULL;

        if (!lines || lines->part_bytes > left) {
            view->rejected++;
            return 0;
        }
        left -= lines->part_bytes;
        memcpy(table + left, lines + 1, lines->part_bytes);
        ref = lines->previous_ref;
    }
    return bytes;
}

uint32_t cprof_log_parent_tag(const struct cprof_log_view *view, uint32_t ref)
{
    return ((const struct cprof_tag_record *)record_at(view, ref))->parent_ref;
}

uint32_t cprof_log_tag(const struct cprof_log_view *view, uint32_t ref, struct cprof_log_tag *tag)
{
    const struct cprof_tag_record *record = record_at(view, ref);
    const char *key = (const char *)(record + 1);

    (void)cprof_clean_text(tag->key, sizeof(tag->key), key, record->key_bytes);
    (void)cprof_clean_text(tag->value, sizeof(tag->value), key + record->key_bytes,
                           record->value_bytes);
    return record->parent_ref;
}
