/* merge.c - see merge.h.
 *
 * A slot is merged in three steps: all pairs (code, offset) of its stacks are sorted, so that
 * each line table is walked once, from its start to its end; the pairs become locations; then
 * the stacks become samples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comments.h"
#include "kernel_time.h"
#include "lines.h"

#define NS_PER_S UINT64_C(1000000000)

/* Two frames may be added to a stack at its root: [truncated] and the worker. */
#define SAMPLE_DEPTH_MAX (CPROF_DEPTH_MAX + 2)

/* A clock is followed within these bounds; beyond them the engine was broken, not only biased. */
#define SCALE_DOWN_MAX 2
#define SCALE_UP_MAX   2

#define BORDER_PART      100
#define UNSAMPLED_NS_MIN 1000

/* One honest sample weighs less; above this, sums could overflow. */
#define COUNT_MAX (UINT64_C(1) << 40)

struct frame_location {
    uint32_t code_ref;
    int32_t byte_offset;
    uint32_t location;
};

/* Everything about the slot that is being merged. */
struct slot_merge {
    struct cprof_merge *merge;
    struct cprof_log_view *view;
    struct frame_location *frames; /* sorted, each once */
    size_t frame_count;
    uint8_t *line_table;
    struct cprof_log_code *code;
    char name[40]; /* "1", "mule 2": the value of the tag */
    char long_name[40];
    uint64_t clock_ns; /* of the threads that were sampled: what the stacks shall sum up to */
    uint64_t raw_ns;   /* of all stacks that count, extra_ns included */
    uint64_t extra_ns; /* kernel time outside system calls, and where it was */
    struct cprof_kernel_time kernel_time;
    /* A value is weight * numerator / denominator. */
    uint64_t numerator, denominator;
    uint64_t weight_seen_ns, value_given_ns;
};

static uint32_t text_of(struct cprof_table *table, const char *text)
{
    return cprof_table_text(table, text, strlen(text));
}

/* A frame that stands for something other than Python code. */
static uint32_t special_location(struct cprof_table *table, const char *name)
{
    uint32_t text = text_of(table, name);
    struct cprof_function function = {.name = text, .system_name = text};
    struct cprof_location location = {.function = cprof_table_function(table, &function)};

    return cprof_table_location(table, &location);
}

static int compare_frames(const void *left, const void *right)
{
    const struct frame_location *a = left, *b = right;

    if (a->code_ref != b->code_ref) {
        return a->code_ref < b->code_ref ? -1 : 1;
    }
    return (a->byte_offset > b->byte_offset) - (a->byte_offset < b->byte_offset);
}

/* The pairs (code, offset) of all stacks, sorted, each once. */
static bool collect_frames(struct slot_merge *slot)
{
    const struct cprof_log_view *view = slot->view;
    size_t total = 0, kept = 0;

    for (size_t i = 0; i < view->stack_count; i++) {
        total += cprof_log_stack(view, view->stacks[i])->depth;
    }
    slot->frames = calloc(total + 1, sizeof(*slot->frames));
    if (!slot->frames) {
        return false;
    }
    for (size_t i = 0; i < view->stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, view->stacks[i]);

        for (unsigned frame = 0; frame < stack->depth; frame++) {
            slot->frames[slot->frame_count++] = (struct frame_location){
                .code_ref = stack->frames[frame].code_ref,
                .byte_offset = stack->frames[frame].byte_offset,
            };
        }
    }
    qsort(slot->frames, slot->frame_count, sizeof(*slot->frames), compare_frames);
    for (size_t i = 0; i < slot->frame_count; i++) {
        if (kept == 0 || compare_frames(&slot->frames[kept - 1], &slot->frames[i]) != 0) {
            slot->frames[kept++] = slot->frames[i];
        }
    }
    slot->frame_count = kept;
    return true;
}

static uint32_t function_of_code(struct slot_merge *slot)
{
    const struct cprof_log_code *code = slot->code;
    struct cprof_table *table = slot->merge->table;
    struct cprof_function function = {
        .system_name = text_of(table, code->name),
        .file = text_of(table, code->file),
        .first_line = code->first_line,
    };

    function.name = text_of(table, code->qualified_name[0] ? code->qualified_name : code->name);
    return cprof_table_function(table, &function);
}

/* Gives every pair its location. */
static void resolve_frames(struct slot_merge *slot)
{
    struct cprof_line_cursor cursor = {0};
    struct cprof_location location = {0};

    for (size_t i = 0; i < slot->frame_count; i++) {
        struct frame_location *frame = &slot->frames[i];

        if (i == 0 || frame->code_ref != slot->frames[i - 1].code_ref) {
            size_t bytes = cprof_log_line_table(slot->view, frame->code_ref, slot->line_table);

            cprof_log_code(slot->view, frame->code_ref, slot->code);
            location.function = function_of_code(slot);
            cprof_lines_begin(&cursor, bytes ? slot->code->line_format : CPROF_LINES_NONE,
                              slot->line_table, bytes, slot->code->first_line);
        }
        location.line = cprof_lines_seek(&cursor, frame->byte_offset);
        if (location.line == 0) {
            location.line = slot->code->first_line;
        }
        frame->location = cprof_table_location(slot->merge->table, &location);
    }
}

static uint32_t location_of(const struct slot_merge *slot, const struct cprof_frame *frame)
{
    struct frame_location wanted = {.code_ref = frame->code_ref, .byte_offset = frame->byte_offset};
    const struct frame_location *found =
        bsearch(&wanted, slot->frames, slot->frame_count, sizeof(wanted), compare_frames);

    return found->location; /* collect_frames saw every frame */
}

static void name_slot(struct slot_merge *slot)
{
    static const char *const kinds[] = {[CPROF_SLOT_WORKER] = "worker",
                                        [CPROF_SLOT_MULE] = "mule",
                                        [CPROF_SLOT_SPOOLER] = "spooler"};
    const struct cprof_log_view *view = slot->view;

    (void)snprintf(slot->long_name, sizeof(slot->long_name), "%s %u", kinds[view->kind],
                   view->number);
    if (view->kind == CPROF_SLOT_WORKER) {
        (void)snprintf(slot->name, sizeof(slot->name), "%u", view->number);
    } else {
        (void)snprintf(slot->name, sizeof(slot->name), "%s", slot->long_name);
    }
}

static bool stack_counts(const struct slot_merge *slot, const struct cprof_stack_record *stack)
{
    return (stack->kind & slot->merge->kinds) && stack->count <= COUNT_MAX &&
           stack->weight_ns <= slot->merge->window_cpu_ns_max &&
           stack->timer_weight_ns <= slot->merge->window_cpu_ns_max;
}

/* What a stack's kernel time is looked for by: its innermost function. 0 and 1, which refer to
 * no record, are the two kinds of stacks without one. */
static uint32_t place_of(const struct cprof_stack_record *stack)
{
    if (stack->depth > 0) {
        return stack->frames[0].code_ref;
    }
    return stack->flags & CPROF_STACK_NATIVE ? 1 : 0;
}

static void sum_up(struct slot_merge *slot)
{
    struct cprof_log_view *view = slot->view;

    for (size_t i = 0; i < view->stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, view->stacks[i]);

        if (stack_counts(slot, stack)) {
            slot->raw_ns = cprof_saturating_add(slot->raw_ns, stack->weight_ns);
            cprof_kernel_time_add(&slot->kernel_time, place_of(stack), stack->timer_weight_ns,
                                  stack->weight_ns);
        } else {
            view->rejected++;
        }
    }
    slot->raw_ns = cprof_saturating_add(slot->raw_ns, view->log_full_weight_ns);
}

/* What threads used that were not sampled (they lived for less than a look, or block the signal)
 * must not be booked on the stacks of others. A rest below one part in a hundred is no thread of
 * its own but time at the borders of the window. */
static void choose_clock(struct slot_merge *slot)
{
    const struct cprof_log_view *view = slot->view;
    bool is_border =
        view->sampled_clock_ns >= view->cpu_clock_ns - view->cpu_clock_ns / BORDER_PART;

    slot->clock_ns = is_border ? view->cpu_clock_ns : view->sampled_clock_ns;
}

/* Perf events see user time, the timer's ticks behind system calls the time in those. What the
 * clock has beyond them was spent in the kernel elsewhere, in page faults above all. */
static void find_extra(struct slot_merge *slot)
{
    uint64_t seen_ns = cprof_saturating_add(slot->raw_ns, slot->view->missed_weight_ns);

    if (slot->view->other_weight_ns > 0 && slot->clock_ns > seen_ns) {
        slot->extra_ns = cprof_kernel_time_spread(&slot->kernel_time, slot->clock_ns - seen_ns);
        slot->raw_ns = cprof_saturating_add(slot->raw_ns, slot->extra_ns);
    }
}

/* Decides by how much the slot's weights are scaled. A slot that was killed, or in which one
 * process followed another that may have been, has a clock that misses the end of a life: it is
 * not believed where it is below the samples. */
static void reconcile(struct slot_merge *slot)
{
    struct cprof_log_view *view = slot->view;
    bool complete = view->closed && !view->successors;
    uint64_t clock_ns;

    sum_up(slot);
    choose_clock(slot);
    clock_ns = slot->clock_ns;
    find_extra(slot);
    slot->numerator = slot->denominator = 1;
    if (slot->raw_ns == 0 || (clock_ns < slot->raw_ns && !complete)) {
        return;
    }
    if (clock_ns / SCALE_UP_MAX > slot->raw_ns) {
        slot->numerator = SCALE_UP_MAX;
    } else if (clock_ns < slot->raw_ns / SCALE_DOWN_MAX) {
        slot->denominator = SCALE_DOWN_MAX;
    } else {
        slot->numerator = clock_ns;
        slot->denominator = slot->raw_ns;
    }
}

static uint64_t weight_of(struct slot_merge *slot, const struct cprof_stack_record *stack)
{
    uint64_t share_ns = 0;

    if (slot->extra_ns > 0) {
        share_ns =
            cprof_kernel_time_take(&slot->kernel_time, place_of(stack), stack->timer_weight_ns);
    }
    return cprof_saturating_add(stack->weight_ns, share_ns);
}

/* The running sum is scaled, not each weight, so that rounding errors do not add up. */
static uint64_t scaled(struct slot_merge *slot, uint64_t weight_ns)
{
    uint64_t before_ns = slot->value_given_ns;

    slot->weight_seen_ns = cprof_saturating_add(slot->weight_seen_ns, weight_ns);
    slot->value_given_ns =
        (uint64_t)((unsigned __int128)slot->weight_seen_ns * slot->numerator / slot->denominator);
    return slot->value_given_ns - before_ns;
}

static uint32_t worker_label(struct slot_merge *slot, struct cprof_label *label)
{
    struct cprof_table *table = slot->merge->table;

    if (!(slot->merge->config->tags & CPROF_TAG_WORKER)) {
        return 0;
    }
    label->key = text_of(table, "worker");
    label->value = text_of(table, slot->name);
    return 1;
}

/* The worker's label, then the chain's in the order in which they were set. */
static uint32_t labels_of(struct slot_merge *slot, uint32_t tag_ref, struct cprof_label *labels)
{
    struct cprof_table *table = slot->merge->table;
    uint32_t count = worker_label(slot, labels);
    uint32_t first = count;
    struct cprof_log_tag tag;

    while (tag_ref != CPROF_NO_REF) {
        tag_ref = cprof_log_tag(slot->view, tag_ref, &tag);
        /* `worker` is the gateway's to say. */
        if (strcmp(tag.key, "worker") == 0 ||
            (strcmp(tag.key, "thread") == 0 && !(slot->merge->config->tags & CPROF_TAG_THREAD))) {
            continue;
        }
        labels[count].key = text_of(table, tag.key);
        labels[count++].value = text_of(table, tag.value);
    }
    for (uint32_t last = count; first + 1 < last; first++) {
        struct cprof_label label = labels[first];

        labels[first] = labels[--last];
        labels[last] = label;
    }
    return count;
}

static void add_root_frame(struct slot_merge *slot, uint32_t *locations, uint32_t *depth)
{
    if (slot->merge->config->worker_frame) {
        locations[(*depth)++] = special_location(slot->merge->table, slot->long_name);
    }
}

static void add_stack(struct slot_merge *slot, const struct cprof_stack_record *stack)
{
    struct cprof_table *table = slot->merge->table;
    uint32_t locations[SAMPLE_DEPTH_MAX];
    struct cprof_label labels[CPROF_TAGS_PER_STACK_MAX + 1];
    struct cprof_sample_key key = {.locations = locations, .labels = labels};

    while (key.depth < stack->depth) {
        locations[key.depth] = location_of(slot, &stack->frames[key.depth]);
        key.depth++;
    }
    if (stack->depth == 0) {
        const char *name = stack->flags & CPROF_STACK_NATIVE ? "[native]" : "[uWSGI]";

        locations[key.depth++] = special_location(table, name);
    } else if (stack->flags & CPROF_STACK_TRUNCATED) {
        locations[key.depth++] = special_location(table, "[truncated]");
    }
    add_root_frame(slot, locations, &key.depth);
    key.label_count = labels_of(slot, stack->tag_ref, labels);
    cprof_table_add_sample(table, &key, stack->count, scaled(slot, weight_of(slot, stack)));
}

/* CPU time that has no stack. */
static void add_special(struct slot_merge *slot, const char *name, uint64_t count,
                        uint64_t value_ns)
{
    uint32_t locations[2];
    struct cprof_label label;
    struct cprof_sample_key key = {.locations = locations, .labels = &label};

    if (count == 0 && value_ns == 0) {
        return;
    }
    locations[key.depth++] = special_location(slot->merge->table, name);
    add_root_frame(slot, locations, &key.depth);
    key.label_count = worker_label(slot, &label);
    cprof_table_add_sample(slot->merge->table, &key, count, value_ns);
}

static void add_samples(struct slot_merge *slot)
{
    struct cprof_log_view *view = slot->view;

    for (size_t i = 0; i < view->stack_count; i++) {
        const struct cprof_stack_record *stack = cprof_log_stack(view, view->stacks[i]);

        if (stack_counts(slot, stack)) {
            add_stack(slot, stack);
        }
    }
    add_special(slot, "[log full]", view->log_full_count, scaled(slot, view->log_full_weight_ns));
    /* Less than this is the rounding of the scaling. */
    if (view->cpu_clock_ns > slot->value_given_ns + UNSAMPLED_NS_MIN) {
        add_special(slot, "[unsampled]", 0, view->cpu_clock_ns - slot->value_given_ns);
    }
}

/* Counters that no honest slot can have would drown everything else. */
static void bound_counters(struct cprof_log_view *view, uint64_t cpu_ns_max)
{
    if (view->log_full_weight_ns > cpu_ns_max || view->log_full_count > COUNT_MAX) {
        view->log_full_weight_ns = 0;
        view->log_full_count = 0;
        view->rejected++;
    }
    if (view->cpu_clock_ns > cpu_ns_max) {
        view->cpu_clock_ns = 0;
        view->closed = false;
        view->rejected++;
    }
}

static void add_to_totals(const struct slot_merge *slot)
{
    struct cprof_merge *merge = slot->merge;
    const struct cprof_log_view *view = slot->view;

    merge->samples = cprof_saturating_add(merge->samples, view->samples);
    merge->raw_ns = cprof_saturating_add(merge->raw_ns, cprof_timer_raw_ns(view));
    merge->perf_ns = cprof_saturating_add(merge->perf_ns, view->perf_weight_ns);
    merge->system_call_ns = cprof_saturating_add(merge->system_call_ns, view->kernel_weight_ns);
    merge->extra_ns = cprof_saturating_add(merge->extra_ns, slot->extra_ns);
    merge->perf_refused = cprof_saturating_add(merge->perf_refused, view->perf_refused);
    merge->clock_ns = cprof_saturating_add(merge->clock_ns, view->cpu_clock_ns);
    merge->ticker_ns = cprof_saturating_add(merge->ticker_ns, view->ticker_cpu_ns);
    merge->missed_ns = cprof_saturating_add(merge->missed_ns, view->missed_weight_ns);
    merge->log_full = cprof_saturating_add(merge->log_full, view->log_full_count);
    merge->rejected = cprof_saturating_add(merge->rejected, view->rejected);
    for (unsigned i = 0; i < CPROF_MISS_COUNT; i++) {
        merge->missed[i] = cprof_saturating_add(merge->missed[i], view->missed[i]);
    }
}

bool cprof_merge_slot(struct cprof_merge *merge, struct cprof_log_view *view,
                      struct cprof_error *error)
{
    struct slot_merge slot = {.merge = merge, .view = view};
    bool ok = false;

    bound_counters(view, merge->window_cpu_ns_max);
    name_slot(&slot);
    slot.line_table = malloc(CPROF_LINE_TABLE_BYTES_MAX);
    slot.code = malloc(sizeof(*slot.code));
    if (!slot.line_table || !slot.code || !collect_frames(&slot) ||
        !cprof_kernel_time_init(&slot.kernel_time, view->stack_count)) {
        cprof_fail(error, "no memory to merge the samples of %s", slot.long_name);
        goto out;
    }
    resolve_frames(&slot);
    reconcile(&slot);
    add_samples(&slot);
    if (view->stack_count > 0 || view->cpu_clock_ns > 0 || view->rejected > 0) {
        cprof_comment_on_slot(merge, view, slot.long_name, slot.extra_ns);
    }
    add_to_totals(&slot);
    ok = true;
out:
    cprof_kernel_time_reset(&slot.kernel_time);
    free(slot.frames);
    free(slot.line_table);
    free(slot.code);
    return ok;
}

void cprof_merge_begin(struct cprof_merge *merge, struct cprof_table *table,
                       const struct cprof_config *config, const struct cprof_window *window)
{
    uint64_t duration_ns = window->end_ns - window->start_ns;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    *merge = (struct cprof_merge){.table = table, .config = config, .kinds = window->kinds};
    /* A second for a clock that was read late, and the factor by which weights may err. */
    merge->window_cpu_ns_max =
        (duration_ns + NS_PER_S) * (uint64_t)(cpus > 0 ? cpus : 1) * SCALE_DOWN_MAX;
    table->time_unix_ns = window->start_unix_ns;
    table->duration_ns = duration_ns;
    table->period_ns = window->period_ns;
    cprof_comment_on_window(table, config, duration_ns, window->period_ns);
}

bool cprof_merge_end(struct cprof_merge *merge, struct cprof_error *error)
{
    struct cprof_table *table = merge->table;

    cprof_comment_on_totals(merge);
    if (table->failed) {
        return cprof_fail(error, "no memory for the profile's table");
    }
    return true;
}
