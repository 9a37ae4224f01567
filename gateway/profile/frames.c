/* frames.c - see frames.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "lines.h"

#define PAIRS_FIRST 256u

struct cprof_frame_location {
    uint32_t code_ref;
    int32_t byte_offset;
    int32_t line;
    uint32_t code; /* the number of the code object among those of all pairs */
    uint32_t location;
};

/* What is needed only while locations are made. */
struct scratch {
    uint32_t *order;     /* places of pairs, by code and offset */
    uint32_t *functions; /* of each code object, + 1; 0: not asked for yet */
    struct cprof_log_code code;
    uint8_t line_table[CPROF_LINE_TABLE_BYTES_MAX];
};

/* A stack that others may be equal to. */
struct listed_stack {
    uint32_t ref;
    uint32_t place; /* in the caller's order */
};

static int compare_pairs(const void *left, const void *right, void *context)
{
    const struct cprof_frame_location *pairs = context;
    const struct cprof_frame_location *a = &pairs[*(const uint32_t *)left];
    const struct cprof_frame_location *b = &pairs[*(const uint32_t *)right];

    if (a->code_ref != b->code_ref) {
        return a->code_ref < b->code_ref ? -1 : 1;
    }
    return (a->byte_offset > b->byte_offset) - (a->byte_offset < b->byte_offset);
}

static int compare_places(const void *left, const void *right)
{
    const struct listed_stack *a = left, *b = right;

    return (a->place > b->place) - (a->place < b->place);
}

static int compare_refs(const void *left, const void *right)
{
    const struct listed_stack *a = left, *b = right;

    return a->ref != b->ref ? (a->ref > b->ref) - (a->ref < b->ref) : compare_places(left, right);
}

/* The stacks, each once, at the first of its places, however many leaves stand on it. The caller
 * frees them; NULL without memory. */
static struct listed_stack *list_stacks(const struct cprof_log_view *view, const uint32_t *refs,
                                        size_t *count)
{
    struct listed_stack *stacks = calloc(*count + 1, sizeof(*stacks));
    size_t kept = 0;

    if (!stacks) {
        return NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        stacks[i] = (struct listed_stack){cprof_log_stack_ref(view, refs[i]), (uint32_t)i};
    }
    qsort(stacks, *count, sizeof(*stacks), compare_refs);
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || stacks[kept - 1].ref != stacks[i].ref) {
            stacks[kept++] = stacks[i];
        }
    }
    qsort(stacks, kept, sizeof(*stacks), compare_places);
    *count = kept;
    return stacks;
}

/* Where the pair stands in the index, or the free place for it. */
static size_t find_place(const struct cprof_frames *frames, uint32_t code_ref, int32_t byte_offset)
{
    uint64_t hash = ((uint64_t)code_ref << 32 | (uint32_t)byte_offset) ^ frames->hash_seed;
    size_t place;

    hash *= UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 29) * UINT64_C(0xd6e8feb86659fd93);
    for (place = (hash >> 32) & (frames->index_capacity - 1); frames->index[place];
         place = (place + 1) & (frames->index_capacity - 1)) {
        const struct cprof_frame_location *pair = &frames->pairs[frames->index[place] - 1];

        if (pair->code_ref == code_ref && pair->byte_offset == byte_offset) {
            break;
        }
    }
    return place;
}

static void fill_index(struct cprof_frames *frames)
{
    memset(frames->index, 0, frames->index_capacity * sizeof(*frames->index));
    for (size_t i = 0; i < frames->pair_count; i++) {
        frames->index[find_place(frames, frames->pairs[i].code_ref, frames->pairs[i].byte_offset)] =
            (uint32_t)i + 1;
    }
}

/* Makes room for one pair more. The index is half full at most. */
static bool reserve(struct cprof_frames *frames)
{
    size_t capacity = frames->pair_capacity ? 2 * frames->pair_capacity : PAIRS_FIRST;
    struct cprof_frame_location *pairs;

    if (frames->pair_count < frames->pair_capacity) {
        return true;
    }
    pairs = realloc(frames->pairs, capacity * sizeof(*pairs));
    if (!pairs) {
        return false;
    }
    frames->pairs = pairs;
    frames->pair_capacity = capacity;
    free(frames->index);
    frames->index_capacity = 2 * capacity;
    frames->index = calloc(frames->index_capacity, sizeof(*frames->index));
    if (!frames->index) {
        return false;
    }
    fill_index(frames);
    return true;
}

static bool add_pair(struct cprof_frames *frames, const struct cprof_frame *frame)
{
    size_t place;

    if (!reserve(frames)) {
        return false;
    }
    place = find_place(frames, frame->code_ref, frame->byte_offset);
    if (frames->index[place] == 0 && frames->pair_count < frames->pairs_max) {
        frames->pairs[frames->pair_count++] = (struct cprof_frame_location){
            .code_ref = frame->code_ref, .byte_offset = frame->byte_offset};
        frames->index[place] = (uint32_t)frames->pair_count;
    }
    return true;
}

static bool add_pairs(struct cprof_frames *frames, const struct cprof_stack_record *stack)
{
    for (unsigned i = 0; i < stack->depth; i++) {
        if (!add_pair(frames, &stack->frames[i])) {
            return false;
        }
    }
    return true;
}

/* The pairs (code, offset) of these stacks, in the order of the stacks, each once. */
static bool collect_pairs(struct cprof_frames *frames, const struct cprof_log_view *view,
                          const struct listed_stack *stacks, size_t stack_count)
{
    for (size_t i = 0; i < stack_count; i++) {
        if (!add_pairs(frames, cprof_log_stack(view, stacks[i].ref))) {
            return false;
        }
    }
    return true;
}

static uint32_t text_of(struct cprof_table *table, const char *text)
{
    return cprof_table_text(table, text, strlen(text));
}

static uint32_t function_of_code(struct cprof_table *table, const struct cprof_log_code *code)
{
    struct cprof_function function = {
        .system_name = text_of(table, code->name),
        .file = text_of(table, code->file),
        .first_line = code->first_line,
    };

    function.name = text_of(table, code->qualified_name[0] ? code->qualified_name : code->name);
    return cprof_table_function(table, &function);
}

/* Gives every pair its line: each line table is walked once. */
static void find_lines(struct cprof_frames *frames, struct cprof_log_view *view,
                       struct scratch *scratch)
{
    struct cprof_line_cursor cursor = {0};
    uint32_t code_count = 0;

    for (size_t i = 0; i < frames->pair_count; i++) {
        struct cprof_frame_location *pair = &frames->pairs[scratch->order[i]];

        if (i == 0 || pair->code_ref != frames->pairs[scratch->order[i - 1]].code_ref) {
            size_t bytes = cprof_log_line_table(view, pair->code_ref, scratch->line_table);

            cprof_log_code(view, pair->code_ref, &scratch->code);
            cprof_lines_begin(&cursor, bytes ? scratch->code.line_format : CPROF_LINES_NONE,
                              scratch->line_table, bytes, scratch->code.first_line);
            code_count++;
        }
        pair->code = code_count - 1;
        pair->line = cprof_lines_seek(&cursor, pair->byte_offset);
        if (pair->line == 0) {
            pair->line = scratch->code.first_line;
        }
    }
}

/* Gives every pair its location, in the order of the stacks: where the table has little room left
 * for names, those of the first stacks get it. */
static void locate_pairs(struct cprof_frames *frames, struct cprof_table *table,
                         const struct cprof_log_view *view, struct scratch *scratch)
{
    for (size_t i = 0; i < frames->pair_count; i++) {
        struct cprof_frame_location *pair = &frames->pairs[i];
        uint32_t *function = &scratch->functions[pair->code];

        if (*function == 0) {
            cprof_log_code(view, pair->code_ref, &scratch->code);
            *function = function_of_code(table, &scratch->code) + 1; /* none: it is 0 again */
        }
        pair->location = cprof_table_location(
            table, &(struct cprof_location){.function = *function - 1, .line = pair->line});
    }
}

/* False without memory. */
static bool find_locations(struct cprof_frames *frames, struct cprof_table *table,
                           struct cprof_log_view *view)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    bool ok = false;

    if (!scratch) {
        return false;
    }
    scratch->order = calloc(frames->pair_count + 1, sizeof(*scratch->order));
    scratch->functions = calloc(frames->pair_count + 1, sizeof(*scratch->functions));
    if (scratch->order && scratch->functions) {
        for (size_t i = 0; i < frames->pair_count; i++) {
            scratch->order[i] = (uint32_t)i;
        }
        qsort_r(scratch->order, frames->pair_count, sizeof(*scratch->order), compare_pairs,
                frames->pairs);
        find_lines(frames, view, scratch);
        locate_pairs(frames, table, view, scratch);
        ok = true;
    }
    free(scratch->functions);
    free(scratch->order);
    free(scratch);
    return ok;
}

bool cprof_frames_resolve(struct cprof_frames *frames, struct cprof_table *table,
                          struct cprof_log_view *view, const uint32_t *stacks, size_t stack_count)
{
    size_t distinct_count = stack_count;
    struct listed_stack *distinct = list_stacks(view, stacks, &distinct_count);
    bool ok;

    *frames = (struct cprof_frames){
        .hash_seed = table->hash_seed,
        .pairs_max = table->name_bytes_limit
                         ? table->name_bytes_limit / sizeof(struct cprof_location)
                         : SIZE_MAX,
    };
    ok = distinct && collect_pairs(frames, view, distinct, distinct_count) &&
         find_locations(frames, table, view);
    free(distinct);
    return ok;
}

void cprof_frames_reset(struct cprof_frames *frames)
{
    free(frames->pairs);
    free(frames->index);
    *frames = (struct cprof_frames){0};
}

uint32_t cprof_frames_location(const struct cprof_frames *frames, const struct cprof_frame *frame)
{
    uint32_t number = frames->index_capacity
                          ? frames->index[find_place(frames, frame->code_ref, frame->byte_offset)]
                          : 0;

    return number ? frames->pairs[number - 1].location : CPROF_TABLE_NONE;
}
