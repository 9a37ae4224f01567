/* stack_groups.c - see stack_groups.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack_groups.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "select.h"

/* Stacks of one thread that are shown, and the part that each but the first must have. */
#define STACKS_SHOWN_MAX 3u
#define PERCENT_SHOWN    20.0

/* Stacks of one thread, those with most time, that others are compared with: a hostile log has
 * hundreds of thousands. */
#define COMPARED_MAX 512

static const char *text_or(const char *text, const char *other)
{
    return text ? text : other;
}

/* "9" comes before "10", and workers before mules and spoolers. */
static int compare_workers(const char *left, const char *right)
{
    char *left_end, *right_end;
    unsigned long a = strtoul(left, &left_end, 10), b = strtoul(right, &right_end, 10);

    if (*left_end == '\0' && *right_end == '\0' && a != b) {
        return a < b ? -1 : 1;
    }
    return strcmp(left, right);
}

static int compare_groups(const void *left, const void *right)
{
    const struct cprof_stack_group *a = left, *b = right;
    int order = compare_workers(a->worker, b->worker);

    order = order ? order : strcmp(a->thread, b->thread);
    if (order == 0 && a->value_ns != b->value_ns) {
        order = a->value_ns > b->value_ns ? -1 : 1;
    }
    return order;
}

static bool is_same_thread(const struct cprof_stack_group *a, const struct cprof_stack_group *b)
{
    return strcmp(a->worker, b->worker) == 0 && strcmp(a->thread, b->thread) == 0;
}

/* Addresses of native code are not shown. */
static bool look_alike(const struct cprof_table *table, uint32_t left, uint32_t right)
{
    const struct cprof_location *a = &table->locations[left], *b = &table->locations[right];

    return a->function == b->function && a->line == b->line;
}

bool cprof_has_same_stack(const struct cprof_table *table, const struct cprof_sample *a,
                          const struct cprof_sample *b)
{
    bool same = a->depth == b->depth;

    for (uint32_t i = 0; same && i < a->depth; i++) {
        same = look_alike(table, table->location_pool[a->first_location + i],
                          table->location_pool[b->first_location + i]);
    }
    return same;
}

/* The group with the same stack among the first ones in [first, end); NULL: there is none. */
static struct cprof_stack_group *find_same(const struct cprof_table *table,
                                           struct cprof_stack_group *first,
                                           struct cprof_stack_group *end,
                                           const struct cprof_stack_group *group)
{
    end = end - first > COMPARED_MAX ? first + COMPARED_MAX : end;
    for (; first < end; first++) {
        if (cprof_has_same_stack(table, first->sample, group->sample)) {
            return first;
        }
    }
    return NULL;
}

/* Adds a sample that differs from others of its thread by its state alone to those. */
static size_t fold(const struct cprof_table *table, struct cprof_stack_group *groups, size_t count)
{
    size_t kept = 0, first = 0;

    for (size_t i = 0; i < count; i++) {
        struct cprof_stack_group *same;

        first = i > 0 && is_same_thread(&groups[first], &groups[i]) ? first : kept;
        same = find_same(table, groups + first, groups + kept, &groups[i]);
        if (same) {
            same->value_ns = cprof_saturating_add(same->value_ns, groups[i].value_ns);
        } else {
            groups[kept++] = groups[i];
        }
    }
    return kept;
}

struct cprof_stack_group *cprof_stack_groups(const struct cprof_table *table, const char *worker,
                                             size_t *count)
{
    struct cprof_stack_group *groups = calloc(table->sample_count + 1, sizeof(*groups));

    *count = 0;
    for (size_t i = 0; groups && i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];
        struct cprof_stack_group group = {
            .sample = sample,
            .worker = text_or(cprof_label_of(table, sample, "worker"), ""),
            .thread = text_or(cprof_label_of(table, sample, "thread"), ""),
            .value_ns = sample->value_ns,
        };

        if (!worker || strcmp(worker, group.worker) == 0) {
            groups[(*count)++] = group;
        }
    }
    if (groups) {
        qsort(groups, *count, sizeof(*groups), compare_groups);
        *count = fold(table, groups, *count);
        qsort(groups, *count, sizeof(*groups), compare_groups);
    }
    return groups;
}

bool cprof_next_thread(struct cprof_thread_stacks *thread, const struct cprof_stack_group *groups,
                       size_t count)
{
    do {
        thread->first += thread->count;
        thread->count = 0;
        thread->total_ns = 0;
        for (size_t i = thread->first;
             i < count && is_same_thread(&groups[thread->first], &groups[i]); i++) {
            thread->total_ns = cprof_saturating_add(thread->total_ns, groups[i].value_ns);
            thread->count++;
        }
    } while (thread->count > 0 &&
             (!*groups[thread->first].worker || !*groups[thread->first].thread));
    return thread->count > 0;
}

double cprof_percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

size_t cprof_stacks_shown(const struct cprof_thread_stacks *thread,
                          const struct cprof_stack_group *groups)
{
    const struct cprof_stack_group *own = &groups[thread->first];
    size_t shown = 1;

    /* Those with most time come first. */
    while (shown < thread->count && shown < STACKS_SHOWN_MAX &&
           cprof_percent(own[shown].value_ns, thread->total_ns) >= PERCENT_SHOWN) {
        shown++;
    }
    return shown;
}

bool cprof_request_of(struct cprof_stack_request *request, const struct cprof_table *table,
                      const struct cprof_sample *sample)
{
    const char *start = cprof_label_of(table, sample, "request");
    uint64_t end_us = (table->time_unix_ns + table->duration_ns) / NS_PER_US;
    uint64_t start_us = start ? strtoull(start, NULL, 10) : 0;

    *request = (struct cprof_stack_request){
        .method = text_or(cprof_label_of(table, sample, "method"), "-"),
        .uri = text_or(cprof_label_of(table, sample, "uri"), "-"),
        .start_us = start_us,
        .age_us = start_us > 0 && start_us < end_us ? end_us - start_us : 0,
    };
    return start != NULL;
}
