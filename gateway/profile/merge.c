/* merge.c - see merge.h.
 *
 * A slot is merged in four steps: the stacks that count in this kind of profile are chosen, their
 * frames become locations, the stacks become samples; and in a wall profile the run-queue time
 * is shared out over them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/states.h"
#include "frames.h"
#include "idle.h"
#include "native.h"
#include "runnable.h"
#include "scale.h"
#include "slot_name.h"
#include "tag_labels.h"

/* Frames may be added to a stack at its root, [truncated] and tags; and a native leaf. */
#define SAMPLE_DEPTH_MAX (CPROF_DEPTH_MAX + CPROF_ROOT_TAGS_MAX + 2)

/* Labels may be added to a stack's tags: worker, state, the interpreter's lock, and three of its
 * request. */
#define LABELS_MAX (CPROF_TAGS_PER_STACK_MAX + 6)

#define START_BYTES 24 /* the digits of a number of 64 bits */

#define UNSAMPLED_NS_MIN 1000

/* One honest sample weighs less; above this, sums could overflow. */
#define COUNT_MAX (UINT64_C(1) << 40)

/* More threads than this are not followed in a process (plugin/threads/threads.h). */
#define THREADS_MAX 4096

/* Of a bounded table's bytes, the part that names get; the others are the samples'. */
#define NAMES_PART 4

/* Beyond the bounds, for "[other]" with each state of a slot; in all, as slots share it. */
#define OTHER_BYTES ((size_t)16 << 10)

#define OTHER "[other]"

/* What is known of a stack that was chosen. */
enum mark {
    MARK_IDLE = 1 << 0,
    MARK_OTHER = 1 << 1, /* it finds no room */
};

/* Everything about the slot that is being merged. */
struct slot_merge {
    struct cprof_merge *merge;
    struct cprof_log_view *view; /* counters of its own; the log behind it is the caller's */
    uint32_t *stacks; /* stacks and leaves that count: on the CPU first, then the others */
    uint8_t *marks;   /* of each */
    uint32_t *ranked; /* places of all in stacks, most time first */
    size_t on_cpu_count, stack_count;
    struct cprof_thread_stack *thread_stacks; /* what run-queue time can be shared out over */
    size_t thread_stack_count;
    struct cprof_frames *frames;
    struct cprof_native *native;
    struct cprof_scale *scale;
    struct cprof_tag_labels *tag_labels;
    char name[CPROF_SLOT_NAME_BYTES]; /* "1", "mule 2": the value of the tag */
    char long_name[CPROF_SLOT_NAME_BYTES];
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

static void name_slot(struct slot_merge *slot)
{
    const struct cprof_log_view *view = slot->view;

    cprof_slot_name(slot->long_name, view->kind, view->number);
    if (view->kind == CPROF_SLOT_WORKER) {
        (void)snprintf(slot->name, sizeof(slot->name), "%u", view->number);
    } else {
        (void)snprintf(slot->name, sizeof(slot->name), "%s", slot->long_name);
    }
}

/* Is this what an honest slot can have counted? */
static bool numbers_are_sound(const struct slot_merge *slot, uint32_t ref)
{
    const struct cprof_merge *merge = slot->merge;
    struct cprof_log_numbers numbers = cprof_log_numbers(slot->view, ref);

    if (cprof_log_stack(slot->view, ref)->kind == CPROF_STACK_ON_CPU) {
        return numbers.count <= COUNT_MAX && numbers.weight_ns <= merge->cpu_ns_max &&
               numbers.timer_weight_ns <= merge->cpu_ns_max;
    }
    return numbers.count <= COUNT_MAX && numbers.weight_ns <= merge->waiting_ns_max &&
           numbers.timer_weight_ns <= merge->waiting_ns_max;
}

/* Is the time of idle threads left out? One that waits for a CPU is not idle any more, though. */
static bool hides_idle(const struct cprof_merge *merge)
{
    return !merge->config->wall_idle && !merge->follows_requests;
}

static void choose_stack(struct slot_merge *slot, uint32_t ref)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    bool is_idle = cprof_stack_is_idle(slot->view, stack);

    if (is_idle && hides_idle(slot->merge) &&
        cprof_log_numbers(slot->view, ref).timer_weight_ns == 0) {
        return;
    }
    if (numbers_are_sound(slot, ref)) {
        slot->marks[slot->stack_count] = is_idle ? MARK_IDLE : 0;
        slot->stacks[slot->stack_count++] = ref;
    } else {
        slot->view->rejected++;
    }
}

static void choose_stacks(struct slot_merge *slot, bool on_cpu)
{
    const struct cprof_log_view *view = slot->view;

    for (size_t i = 0; i < view->stack_count; i++) {
        if ((cprof_log_stack(view, view->stacks[i])->kind == CPROF_STACK_ON_CPU) == on_cpu) {
            choose_stack(slot, view->stacks[i]);
        }
    }
}

static bool choose_all_stacks(struct slot_merge *slot)
{
    size_t stack_count = slot->view->stack_count;

    slot->stacks = calloc(stack_count + 1, sizeof(*slot->stacks));
    slot->marks = calloc(stack_count + 1, sizeof(*slot->marks));
    slot->ranked = calloc(stack_count + 1, sizeof(*slot->ranked));
    slot->thread_stacks = calloc(stack_count + 1, sizeof(*slot->thread_stacks));
    if (!slot->ranked || !slot->stacks || !slot->marks || !slot->thread_stacks) {
        return false;
    }
    choose_stacks(slot, true);
    slot->on_cpu_count = slot->stack_count;
    if (slot->merge->table->kind == CPROF_KIND_WALL) {
        choose_stacks(slot, false);
    }
    return true;
}

/* The part of a stack's weight that becomes time of its own. */
static uint64_t own_ns(const struct slot_merge *slot, uint32_t ref, unsigned mark)
{
    bool is_hidden = (mark & MARK_IDLE) && hides_idle(slot->merge);

    return is_hidden ? 0 : cprof_log_numbers(slot->view, ref).weight_ns;
}

struct ranked_stack {
    uint64_t weight_ns;
    uint32_t place; /* in slot->stacks */
    uint32_t bytes; /* that its sample takes in the table */
};

/* Most time first. */
static int compare_ranks(const void *left, const void *right)
{
    const struct ranked_stack *a = left, *b = right;

    if (a->weight_ns != b->weight_ns) {
        return a->weight_ns > b->weight_ns ? -1 : 1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

static size_t bytes_of_sample(const struct slot_merge *slot, uint32_t ref)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    uint32_t labels = LABELS_MAX - CPROF_TAGS_PER_STACK_MAX;

    for (uint32_t tag = stack->tag_ref; tag != CPROF_NO_REF; labels++) {
        tag = cprof_log_parent_tag(slot->view, tag);
    }
    return cprof_table_sample_bytes(stack->depth + 2 + slot->merge->config->root_tag_count, labels);
}

/* Marks the stacks that find no room, once those with most time have theirs. */
static bool rank_stacks(struct slot_merge *slot, size_t room)
{
    struct ranked_stack *ranks = calloc(slot->stack_count + 1, sizeof(*ranks));

    if (!ranks) {
        return false;
    }
    for (size_t i = 0; i < slot->stack_count; i++) {
        uint32_t ref = slot->stacks[i];

        ranks[i] = (struct ranked_stack){
            .weight_ns = cprof_saturating_add(own_ns(slot, ref, slot->marks[i]),
                                              cprof_log_numbers(slot->view, ref).timer_weight_ns),
            .place = (uint32_t)i,
            .bytes = (uint32_t)bytes_of_sample(slot, ref),
        };
    }
    qsort(ranks, slot->stack_count, sizeof(*ranks), compare_ranks);
    for (size_t i = 0; i < slot->stack_count; i++) {
        if (ranks[i].bytes <= room) {
            room -= ranks[i].bytes;
        } else {
            slot->marks[ranks[i].place] |= MARK_OTHER;
            room = 0;
        }
        slot->ranked[i] = ranks[i].place;
    }
    free(ranks);
    return true;
}

/* The slot's part of what is left: of samples by how full its log is; of names, which slots have in
 * common, half. */
static bool bound_slot(struct slot_merge *slot)
{
    struct cprof_merge *merge = slot->merge;
    struct cprof_table *table = merge->table;
    uint64_t fill = cprof_log_copied_bytes(slot->view);
    uint64_t left = merge->fill_left > fill ? merge->fill_left : fill;
    size_t room, names;

    if (merge->sample_bytes_max == 0) {
        return rank_stacks(slot, SIZE_MAX);
    }
    room = merge->sample_bytes_max > table->sample_bytes
               ? merge->sample_bytes_max - table->sample_bytes
               : 0;
    names =
        merge->name_bytes_max > table->name_bytes ? merge->name_bytes_max - table->name_bytes : 0;
    room = left > 0 ? (size_t)((unsigned __int128)room * fill / left) : room;
    table->sample_bytes_limit = table->sample_bytes + room + 1;
    table->name_bytes_limit = table->name_bytes + (left > fill ? names / 2 : names) + 1;
    merge->fill_left = left - fill;
    return rank_stacks(slot, room);
}

/* Locations for the stacks that find room; where names find little, most time comes first. */
static bool resolve_frames(struct slot_merge *slot)
{
    uint32_t *wanted = calloc(slot->stack_count + 1, sizeof(*wanted));
    size_t count = 0;
    bool ok;

    for (size_t i = 0; wanted && i < slot->stack_count; i++) {
        if (!(slot->marks[slot->ranked[i]] & MARK_OTHER)) {
            wanted[count++] = slot->stacks[slot->ranked[i]];
        }
    }
    ok =
        wanted && cprof_frames_resolve(slot->frames, slot->merge->table, slot->view, wanted, count);
    free(wanted);
    return ok;
}

static bool wants_state(const struct cprof_merge *merge)
{
    return merge->table->kind == CPROF_KIND_WALL && (merge->tags & CPROF_TAG_STATE);
}

static void add_label(struct cprof_sample_key *key, struct cprof_label *labels,
                      struct cprof_table *table, const char *name, const char *value)
{
    labels[key->label_count].key = text_of(table, name);
    labels[key->label_count++].value = text_of(table, value);
}

static bool has_label(const struct cprof_sample_key *key, struct cprof_table *table,
                      const char *name)
{
    uint32_t wanted = text_of(table, name);

    for (uint32_t i = 0; i < key->label_count; i++) {
        if (key->labels[i].key == wanted) {
            return true;
        }
    }
    return false;
}

/* `request` tells a worker's requests apart by when they began. */
static void add_request_labels(const struct slot_merge *slot, uint32_t mark,
                               struct cprof_sample_key *key, struct cprof_label *labels)
{
    struct cprof_table *table = slot->merge->table;
    const struct cprof_request *request =
        slot->view->requests ? cprof_requests_find(slot->view->requests, mark) : NULL;
    char start[START_BYTES];

    if (!request) {
        return;
    }
    if (!has_label(key, table, "method")) {
        add_label(key, labels, table, "method", request->method);
    }
    if (!has_label(key, table, "uri")) {
        add_label(key, labels, table, "uri", request->uri);
    }
    (void)snprintf(start, sizeof(start), "%llu", (unsigned long long)request->start_us);
    add_label(key, labels, table, "request", start);
}

/* What the thread had of the interpreter's lock; NULL: not known, or no number of ours. */
static const char *gil_name(const struct cprof_stack_record *stack)
{
    static const char *const names[CPROF_GIL_COUNT] = {[CPROF_GIL_HELD] = "held",
                                                       [CPROF_GIL_WAITING] = "waiting",
                                                       [CPROF_GIL_RELEASED] = "released"};

    return stack->gil < CPROF_GIL_COUNT ? names[stack->gil] : NULL;
}

/* The labels that follow from how a stack was met. */
struct circumstances {
    const char *state;
    const char *gil;  /* NULL: none */
    uint32_t request; /* mark of the request, or 0 */
};

/* The worker, then the chain's tags in the order in which they were set, then those of the
 * request, the state and the lock. */
static void add_labels(const struct slot_merge *slot, uint32_t tag_ref,
                       const struct circumstances *how, struct cprof_sample_key *key,
                       struct cprof_label *labels)
{
    const struct cprof_merge *merge = slot->merge;
    uint32_t first;

    if (merge->tags & CPROF_TAG_WORKER) {
        add_label(key, labels, merge->table, "worker", slot->name);
    }
    first = key->label_count;
    while (tag_ref != CPROF_NO_REF) {
        const struct cprof_tag_label *tag = cprof_tag_labels_find(slot->tag_labels, tag_ref);

        if (tag->is_wanted) {
            labels[key->label_count++] = tag->label;
        }
        tag_ref = tag->parent_ref;
    }
    for (uint32_t last = key->label_count; first + 1 < last; first++) {
        struct cprof_label label = labels[first];

        labels[first] = labels[--last];
        labels[last] = label;
    }
    add_request_labels(slot, how->request, key, labels);
    if (wants_state(merge)) {
        add_label(key, labels, merge->table, "state", how->state);
    }
    if (how->gil && (merge->config->tags & CPROF_TAG_GIL)) {
        add_label(key, labels, merge->table, "gil", how->gil);
    }
}

/* "route: /users/:id" as a frame, if the sample has such a label. */
static void add_tag_frame(struct cprof_table *table, const char *name, struct cprof_sample_key *key,
                          uint32_t *locations)
{
    char frame[CPROF_ROOT_TAG_KEY_BYTES + sizeof(((struct cprof_log_tag *)0)->value) + 2];
    uint32_t wanted = text_of(table, name);

    for (uint32_t i = 0; i < key->label_count; i++) {
        if (key->labels[i].key == wanted) {
            (void)snprintf(frame, sizeof(frame), "%s: %s", name,
                           cprof_table_text_at(table, key->labels[i].value));
            locations[key->depth++] = special_location(table, frame);
            return;
        }
    }
}

/* The innermost one first. The worker is known, whether it is a tag or not. */
static void add_root_frames(const struct slot_merge *slot, struct cprof_sample_key *key,
                            uint32_t *locations)
{
    const struct cprof_config *config = slot->merge->config;

    for (uint32_t i = config->root_tag_count; i > 0; i--) {
        const char *name = config->root_tags[i - 1];

        if (strcmp(name, "worker") == 0) {
            locations[key->depth++] = special_location(slot->merge->table, slot->long_name);
        } else {
            add_tag_frame(slot->merge->table, name, key, locations);
        }
    }
}

/* The one frame of a stack that has no Python frame to show; NULL: it has. `runs`: it is shown for
 * time in which the thread ran or waited to run. */
static const char *special_name(const struct cprof_stack_record *stack, unsigned mark, bool runs)
{
    if (stack->kind == CPROF_STACK_RUNNABLE) {
        return "[runnable]";
    }
    if (mark & MARK_IDLE) {
        return runs ? "[uWSGI]" : "[idle]";
    }
    if (stack->depth == 0) {
        return stack->flags & CPROF_STACK_NATIVE ? "[native]" : "[uWSGI]";
    }
    return NULL;
}

/* "recvfrom [system call]": what a sleeping thread waits in. */
static uint32_t system_call_location(struct cprof_table *table, uint32_t number)
{
    const char *known = cprof_system_call_name(number);
    char name[64];

    if (known) {
        (void)snprintf(name, sizeof(name), "%s [system call]", known);
    } else {
        (void)snprintf(name, sizeof(name), "[system call %u]", number);
    }
    return special_location(table, name);
}

/* What a stack ends in, beyond the interpreter. */
static void add_leaf(const struct slot_merge *slot, uint32_t ref, unsigned mark,
                     struct cprof_sample_key *key, uint32_t *locations)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    struct cprof_table *table = slot->merge->table;
    struct cprof_log_leaf leaf;

    if (!slot->merge->config->native_leaf || (mark & MARK_IDLE)) {
        return;
    }
    if (cprof_log_leaf(slot->view, ref, &leaf)) {
        locations[key->depth++] = cprof_native_location(slot->native, table, &leaf);
    } else if (stack->kind == CPROF_STACK_OFF_CPU && stack->system_call > 0) {
        locations[key->depth++] = system_call_location(table, stack->system_call - 1u);
    }
}

static void add_frames(const struct slot_merge *slot, const struct cprof_stack_record *stack,
                       unsigned mark, bool runs, struct cprof_sample_key *key, uint32_t *locations)
{
    struct cprof_table *table = slot->merge->table;
    const char *special = special_name(stack, mark, runs);

    if (special) {
        locations[key->depth++] = special_location(table, special);
        return;
    }
    for (unsigned i = 0; i < stack->depth; i++) {
        locations[key->depth++] = cprof_frames_location(slot->frames, &stack->frames[i]);
    }
    if (stack->flags & CPROF_STACK_TRUNCATED) {
        locations[key->depth++] = special_location(table, "[truncated]");
    }
}

/* The states of threads that do not sleep. */
static const char running[] = "running", runnable[] = "runnable";

/* A sample without a stack; false: it finds no room. */
static bool try_special(const struct slot_merge *slot, const char *name, const char *state,
                        uint64_t count, uint64_t value_ns)
{
    uint32_t locations[CPROF_ROOT_TAGS_MAX + 1];
    struct cprof_label labels[LABELS_MAX];
    struct cprof_sample_key key = {.locations = locations, .labels = labels};
    struct circumstances how = {.state = state};

    locations[key.depth++] = special_location(slot->merge->table, name);
    add_labels(slot, CPROF_NO_REF, &how, &key, labels);
    add_root_frames(slot, &key, locations);
    return cprof_table_add_sample(slot->merge->table, &key, count, value_ns);
}

/* Time that has no stack. There are few of these in a slot: they always find room. */
static void add_special(const struct slot_merge *slot, const char *name, const char *state,
                        uint64_t count, uint64_t value_ns)
{
    struct cprof_table *table = slot->merge->table;
    size_t name_bytes_limit = table->name_bytes_limit;
    size_t sample_bytes_limit = table->sample_bytes_limit;

    if (count == 0 && value_ns == 0) {
        return;
    }
    table->name_bytes_limit = table->sample_bytes_limit = 0;
    (void)try_special(slot, name, state, count, value_ns);
    table->name_bytes_limit = name_bytes_limit;
    table->sample_bytes_limit = sample_bytes_limit;
}

/* What "[other]" may use beyond a slot's limit, which is no more than OTHER_BYTES beyond the whole
 * table's in all slots together. */
static size_t limit_of_others(size_t slot_limit, size_t bytes_max)
{
    return (slot_limit < bytes_max ? slot_limit : bytes_max) + OTHER_BYTES;
}

/* A stack that finds no room. A stranger's log may have thousands of states: those that find none
 * either are one. */
static void add_other(const struct slot_merge *slot, const char *state, uint64_t count,
                      uint64_t value_ns)
{
    struct cprof_merge *merge = slot->merge;
    struct cprof_table *table = merge->table;
    size_t name_bytes_limit = table->name_bytes_limit;
    size_t sample_bytes_limit = table->sample_bytes_limit;
    char unknown[CPROF_STATE_NAME_BYTES];
    bool found_room;

    if (count == 0 && value_ns == 0) {
        return;
    }
    merge->others.count = cprof_saturating_add(merge->others.count, count);
    merge->others.value_ns = cprof_saturating_add(merge->others.value_ns, value_ns);
    if (table->sample_bytes_limit == 0) {
        add_special(slot, OTHER, state, count, value_ns);
        return;
    }
    table->name_bytes_limit = limit_of_others(name_bytes_limit, merge->name_bytes_max);
    table->sample_bytes_limit = limit_of_others(sample_bytes_limit, merge->sample_bytes_max);
    found_room = try_special(slot, OTHER, state, count, value_ns);
    table->name_bytes_limit = name_bytes_limit;
    table->sample_bytes_limit = sample_bytes_limit;
    if (!found_room) {
        add_special(slot, OTHER, cprof_state_name(CPROF_STATE_UNKNOWN, unknown), count, value_ns);
    }
}

/* False: the stack finds no room. */
static bool try_stack(const struct slot_merge *slot, uint32_t ref, unsigned mark, const char *state,
                      uint64_t count, uint64_t value_ns)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    struct circumstances how = {.state = state, .gil = gil_name(stack), .request = stack->request};
    uint32_t locations[SAMPLE_DEPTH_MAX];
    struct cprof_label labels[LABELS_MAX];
    struct cprof_sample_key key = {.locations = locations, .labels = labels};

    if (mark & MARK_OTHER) {
        return false;
    }
    add_leaf(slot, ref, mark, &key, locations);
    add_frames(slot, stack, mark, state == runnable, &key, locations);
    add_labels(slot, stack->tag_ref, &how, &key, labels);
    add_root_frames(slot, &key, locations);
    return cprof_table_add_sample(slot->merge->table, &key, count, value_ns);
}

/* A stack may have several samples, of which the first one counts it. */
static void add_sample(const struct slot_merge *slot, uint32_t ref, unsigned mark, bool is_first,
                       const char *state, uint64_t count, uint64_t value_ns)
{
    if (!try_stack(slot, ref, mark, state, count, value_ns)) {
        slot->merge->others.stacks += is_first;
        add_other(slot, state, count, value_ns);
    }
}

/* What stacks have together that are not listed. */
static void add_rest(const struct slot_merge *slot, enum cprof_rest rest, const char *state,
                     uint64_t value_ns)
{
    uint64_t count = rest == CPROF_REST_RUNNABLE ? 0 : slot->view->rest[rest].count;

    if (count > 0 || value_ns > 0) {
        slot->merge->others.stacks += slot->view->rest_stacks[rest];
        add_other(slot, state, count, value_ns);
    }
}

static struct cprof_thread_stack *note_thread_stack(struct slot_merge *slot, uint32_t ref,
                                                    uint64_t value_ns)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    struct cprof_thread_stack *noted = &slot->thread_stacks[slot->thread_stack_count++];

    *noted = (struct cprof_thread_stack){
        .thread_ref = cprof_log_thread(slot->view, stack),
        .stack_ref = ref,
        .kind = (enum cprof_stack_kind)stack->kind,
        .value_ns = value_ns,
    };
    return noted;
}

static void add_on_cpu(struct slot_merge *slot)
{
    const struct cprof_log_view *view = slot->view;

    for (size_t i = 0; i < slot->on_cpu_count; i++) {
        uint32_t ref = slot->stacks[i];
        uint64_t value_ns = cprof_scale_stack(slot->scale, view, ref);

        add_sample(slot, ref, slot->marks[i], true, running, cprof_log_numbers(view, ref).count,
                   value_ns);
        (void)note_thread_stack(slot, ref, value_ns);
    }
    add_rest(slot, CPROF_REST_ON_CPU, running, cprof_scale_rest(slot->scale, view));
    add_special(slot, "[log full]", running, view->counters[CPROF_COUNTER_LOG_FULL],
                cprof_scale_weight(slot->scale, view->counters[CPROF_COUNTER_LOG_FULL_NS]));
    /* Less than this is the rounding of the scaling. */
    if (view->counters[CPROF_COUNTER_CPU_CLOCK_NS] >
        slot->scale->value_given_ns + UNSAMPLED_NS_MIN) {
        add_special(slot, "[unsampled]", running, 0,
                    view->counters[CPROF_COUNTER_CPU_CLOCK_NS] - slot->scale->value_given_ns);
    }
}

/* Of stacks that are not listed nobody knows the thread. What looks found of waiting in them is no
 * time of its own: all run-queue time stands in the threads' accounts. */
static void add_off_cpu_rest(const struct slot_merge *slot)
{
    const struct cprof_log_numbers *rest = slot->view->rest;
    char unknown[CPROF_STATE_NAME_BYTES];
    const char *state = cprof_state_name(CPROF_STATE_UNKNOWN, unknown);

    add_rest(slot, CPROF_REST_OFF_CPU, state, rest[CPROF_REST_OFF_CPU].weight_ns);
    if (!hides_idle(slot->merge)) {
        add_rest(slot, CPROF_REST_IDLE, state, rest[CPROF_REST_IDLE].weight_ns);
    }
    add_rest(slot, CPROF_REST_RUNNABLE, runnable, rest[CPROF_REST_RUNNABLE].weight_ns);
}

/* The time of a stack in which the thread slept, and what looks found of waiting in it. */
static void add_sleep(struct slot_merge *slot, uint32_t ref, unsigned mark)
{
    const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);
    struct cprof_log_numbers numbers = cprof_log_numbers(slot->view, ref);
    char name[CPROF_STATE_NAME_BYTES];

    if (own_ns(slot, ref, mark) > 0) {
        add_sample(slot, ref, mark, true, cprof_state_name(cprof_log_state(stack), name),
                   numbers.count, numbers.weight_ns);
    }
    if (mark & MARK_IDLE) {
        numbers.weight_ns = 0; /* run-queue time is never shared out by that */
    }
    note_thread_stack(slot, ref, numbers.weight_ns)->wait_ns = numbers.timer_weight_ns;
}

static void add_off_cpu(struct slot_merge *slot)
{
    char name[CPROF_STATE_NAME_BYTES];

    for (size_t i = slot->on_cpu_count; i < slot->stack_count; i++) {
        uint32_t ref = slot->stacks[i];
        const struct cprof_stack_record *stack = cprof_log_stack(slot->view, ref);

        if (stack->kind == CPROF_STACK_OFF_CPU) {
            add_sleep(slot, ref, slot->marks[i]);
        } else {
            (void)note_thread_stack(slot, ref, stack->weight_ns);
        }
    }
    add_off_cpu_rest(slot);
    add_special(slot, "[log full]", cprof_state_name(CPROF_STATE_UNKNOWN, name), 0,
                slot->view->counters[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS]);
}

/* What is known of a chosen stack. Stacks of a kind stand in the order of their references. */
static unsigned mark_of(const struct slot_merge *slot, const struct cprof_thread_stack *stack)
{
    size_t low = stack->kind == CPROF_STACK_ON_CPU ? 0 : slot->on_cpu_count;
    size_t high = stack->kind == CPROF_STACK_ON_CPU ? slot->on_cpu_count : slot->stack_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slot->stacks[middle] < stack->stack_ref) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return slot->marks[low];
}

/* Has the stack no sample yet? */
static bool is_shown_first(const struct slot_merge *slot, const struct cprof_thread_stack *stack,
                           unsigned mark)
{
    return stack->kind == CPROF_STACK_RUNNABLE ||
           (stack->kind == CPROF_STACK_OFF_CPU && own_ns(slot, stack->stack_ref, mark) == 0);
}

/* Run-queue time is time of a stack, but no sample of it. */
static void add_runnable(struct slot_merge *slot)
{
    cprof_runnable_share_out(slot->thread_stacks, slot->thread_stack_count);
    for (size_t i = 0; i < slot->thread_stack_count; i++) {
        const struct cprof_thread_stack *stack = &slot->thread_stacks[i];

        if (stack->runnable_ns > 0) {
            unsigned mark = mark_of(slot, stack);

            add_sample(slot, stack->stack_ref, mark, is_shown_first(slot, stack, mark), runnable, 0,
                       stack->runnable_ns);
        }
    }
}

/* Counters that no honest slot can have would drown everything else. */
static void bound_counters(struct cprof_log_view *view, const struct cprof_merge *merge)
{
    uint64_t cpu_ns_max = merge->cpu_ns_max;

    if (view->counters[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS] > merge->waiting_ns_max) {
        view->counters[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS] = 0;
        view->rejected++;
    }
    if (view->counters[CPROF_COUNTER_LOG_FULL_NS] > cpu_ns_max ||
        view->counters[CPROF_COUNTER_LOG_FULL] > COUNT_MAX) {
        view->counters[CPROF_COUNTER_LOG_FULL_NS] = 0;
        view->counters[CPROF_COUNTER_LOG_FULL] = 0;
        view->rejected++;
    }
    if (view->counters[CPROF_COUNTER_CPU_CLOCK_NS] > cpu_ns_max) {
        view->counters[CPROF_COUNTER_CPU_CLOCK_NS] = 0;
        view->closed = false;
        view->rejected++;
    }
}

/* The same of the sums, which an honest slot's stacks stay below all together. */
static void bound_rest(struct cprof_log_view *view, const struct cprof_merge *merge)
{
    for (unsigned i = 0; i < CPROF_REST_COUNT; i++) {
        uint64_t ns_max = i == CPROF_REST_ON_CPU ? merge->cpu_ns_max : merge->waiting_ns_max;

        if (view->rest[i].count > COUNT_MAX || view->rest[i].weight_ns > ns_max ||
            (i == CPROF_REST_ON_CPU && view->rest[i].timer_weight_ns > ns_max)) {
            view->rest[i] = (struct cprof_log_numbers){0};
            view->rejected++;
        }
    }
}

bool cprof_merge_slot(struct cprof_merge *merge, const struct cprof_log_view *view,
                      struct cprof_error *error)
{
    struct cprof_log_view own_view = *view;
    struct cprof_frames frames = {0};
    struct cprof_native native = {0};
    struct cprof_scale scale = {0};
    struct cprof_tag_labels tag_labels = {0};
    struct slot_merge slot = {.merge = merge,
                              .view = &own_view,
                              .frames = &frames,
                              .native = &native,
                              .scale = &scale,
                              .tag_labels = &tag_labels};
    bool ok = false;

    bound_counters(&own_view, merge);
    bound_rest(&own_view, merge);
    name_slot(&slot);
    if (!choose_all_stacks(&slot) || !bound_slot(&slot) || !resolve_frames(&slot) ||
        !cprof_tag_labels_begin(&tag_labels, merge->table, &own_view, merge->tags) ||
        !cprof_native_begin(&native, &own_view, merge->symbols) ||
        !cprof_scale_begin(&scale, &own_view, slot.stacks, slot.on_cpu_count)) {
        cprof_fail(error, "no memory to merge the samples of %s", slot.long_name);
        goto out;
    }
    add_on_cpu(&slot);
    if (merge->table->kind == CPROF_KIND_WALL) {
        add_off_cpu(&slot);
        add_runnable(&slot);
    }
    ok = cprof_slot_sums_add(&merge->sums, &own_view, scale.extra_ns) ||
         cprof_fail(error, "no memory to add up the counters of %s", slot.long_name);
out:
    cprof_tag_labels_reset(&tag_labels);
    cprof_scale_reset(&scale);
    cprof_native_reset(&native);
    cprof_frames_reset(&frames);
    free(slot.thread_stacks);
    free(slot.ranked);
    free(slot.marks);
    free(slot.stacks);
    return ok;
}

/* What an honest slot can have counted in it at most: a second more for a clock that was read
 * late. */
static void take_part(struct cprof_merge *merge, const struct cprof_window *part)
{
    uint64_t duration_ns = part->end_ns - part->start_ns;
    uint64_t at_most_ns = duration_ns + NS_PER_S;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    merge->cpu_ns_max = at_most_ns * (uint64_t)(cpus > 0 ? cpus : 1) * CPROF_SCALE_MAX;
    merge->waiting_ns_max = at_most_ns * THREADS_MAX;
    merge->table->duration_ns += duration_ns;
    merge->parts.count++;
    merge->end_ns = part->end_ns;
}

void cprof_merge_begin(struct cprof_merge *merge, struct cprof_table *table,
                       const struct cprof_config *config, const struct cprof_window *window,
                       enum cprof_kind kind)
{
    *merge = (struct cprof_merge){.table = table, .config = config, .tags = config->tags};
    if (window->flags & (uint32_t)CPROF_WINDOW_REQUESTS) {
        merge->follows_requests = true;
        merge->tags |= CPROF_TAG_WORKER | CPROF_TAG_THREAD | CPROF_TAG_STATE;
    }
    merge->parts.flags = window->flags;
    table->kind = kind;
    table->time_unix_ns = window->start_unix_ns;
    table->duration_ns = 0;
    table->period_ns = window->period_ns;
    take_part(merge, window);
}

void cprof_merge_reset(struct cprof_merge *merge)
{
    cprof_slot_sums_reset(&merge->sums);
}

void cprof_merge_next_part(struct cprof_merge *merge, const struct cprof_window *part)
{
    merge->parts.gap_ns += part->start_ns - merge->end_ns;
    take_part(merge, part);
}

void cprof_merge_use_symbols(struct cprof_merge *merge, struct cprof_symbols *symbols)
{
    merge->symbols = symbols;
}

void cprof_merge_bound(struct cprof_merge *merge, size_t table_bytes, uint64_t log_bytes)
{
    merge->name_bytes_max = table_bytes / NAMES_PART;
    merge->sample_bytes_max = table_bytes - merge->name_bytes_max;
    merge->fill_left = log_bytes;
}

const struct cprof_slot_sums *cprof_merge_sums(const struct cprof_merge *merge)
{
    return &merge->sums;
}

bool cprof_merge_end(struct cprof_merge *merge, struct cprof_error *error)
{
    struct cprof_table *table = merge->table;

    cprof_comment_on_window(table, merge->config, &merge->parts);
    cprof_comment_on_slots(table, &merge->sums);
    cprof_merge_reset(merge);
    if (merge->others.count > 0 || merge->others.value_ns > 0) {
        cprof_table_comment(
            table,
            "gateway memory: %llu stacks with %llu samples and %.6f s are shown as " OTHER
            "; more memory: cloudprofiler-gateway-memory",
            (unsigned long long)merge->others.stacks, (unsigned long long)merge->others.count,
            (double)merge->others.value_ns / 1e9);
    }
    if (table->failed) {
        return cprof_fail(error, "no memory for the profile's table");
    }
    return true;
}
