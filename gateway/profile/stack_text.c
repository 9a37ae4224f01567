/* stack_text.c - see stack_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "select.h"

#define NS_PER_US UINT64_C(1000)

/* Stacks of one thread that are shown beside the first one, and the part that each must have. */
#define STACKS_SHOWN_MAX 3u
#define PERCENT_SHOWN    20.0

/* Stacks of one thread, those with most time, that others are compared with: a hostile log has
 * hundreds of thousands. */
#define COMPARED_MAX 512

/* Samples of one thread with equal stacks. */
struct group {
    const struct cprof_sample *sample; /* that with most time: its state is shown */
    const char *worker, *thread;
    uint64_t value_ns;
};

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
    const struct group *a = left, *b = right;
    int order = compare_workers(a->worker, b->worker);

    order = order ? order : strcmp(a->thread, b->thread);
    if (order == 0 && a->value_ns != b->value_ns) {
        order = a->value_ns > b->value_ns ? -1 : 1;
    }
    return order;
}

static bool is_same_thread(const struct group *a, const struct group *b)
{
    return strcmp(a->worker, b->worker) == 0 && strcmp(a->thread, b->thread) == 0;
}

static bool has_same_stack(const struct cprof_table *table, const struct group *a,
                           const struct group *b)
{
    return a->sample->depth == b->sample->depth &&
           memcmp(&table->location_pool[a->sample->first_location],
                  &table->location_pool[b->sample->first_location],
                  a->sample->depth * sizeof(*table->location_pool)) == 0;
}

/* The group with the same stack among the first ones in [first, end); NULL: there is none. */
static struct group *find_same(const struct cprof_table *table, struct group *first,
                               struct group *end, const struct group *group)
{
    end = end - first > COMPARED_MAX ? first + COMPARED_MAX : end;
    for (; first < end; first++) {
        if (has_same_stack(table, first, group)) {
            return first;
        }
    }
    return NULL;
}

/* Adds a sample that differs from others of its thread by its state alone to those. */
static size_t fold(const struct cprof_table *table, struct group *groups, size_t count)
{
    size_t kept = 0, first = 0;

    for (size_t i = 0; i < count; i++) {
        struct group *same;

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

/* The groups in the order in which they are shown; the caller frees them. */
static struct group *make_groups(const struct cprof_table *table, const char *worker, size_t *count)
{
    struct group *groups = calloc(table->sample_count + 1, sizeof(*groups));

    *count = 0;
    for (size_t i = 0; groups && i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];
        struct group group = {
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

static void print_frame(FILE *out, const struct cprof_table *table, uint32_t location_id)
{
    const struct cprof_location *location = &table->locations[location_id];
    const struct cprof_function *function = &table->functions[location->function];
    const char *file = cprof_table_text_at(table, function->file);

    (void)fputs(cprof_table_text_at(table, function->name), out);
    if (*file) {
        (void)fprintf(out, " (%s:%d)", file,
                      location->line ? location->line : function->first_line);
    }
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

/* ", for 2.3 s" by when the request began and when the profile ends. */
static void print_request(FILE *out, const struct cprof_table *table,
                          const struct cprof_sample *sample)
{
    const char *method = cprof_label_of(table, sample, "method");
    const char *start = cprof_label_of(table, sample, "request");
    uint64_t end_us = (table->time_unix_ns + table->duration_ns) / NS_PER_US;
    uint64_t start_us = start ? strtoull(start, NULL, 10) : 0;

    if (!start) {
        return;
    }
    (void)fprintf(out, ": %s %s", text_or(method, "-"),
                  text_or(cprof_label_of(table, sample, "uri"), "-"));
    if (start_us > 0 && start_us < end_us) {
        (void)fprintf(out, ", for %.1f s", (double)(end_us - start_us) / 1e6);
    }
}

static void print_stack(FILE *out, const struct cprof_table *table, const struct group *group,
                        uint64_t total_ns)
{
    (void)fprintf(out, "    %s, %.0f %%\n",
                  text_or(cprof_label_of(table, group->sample, "state"), "state unknown"),
                  percent(group->value_ns, total_ns));
    for (uint32_t i = 0; i < group->sample->depth; i++) {
        (void)fputs("      ", out);
        print_frame(out, table, table->location_pool[group->sample->first_location + i]);
        (void)fputc('\n', out);
    }
}

/* The groups of one thread, that with most time first. */
static void print_thread(FILE *out, const struct cprof_table *table, const struct group *groups,
                         size_t count)
{
    uint64_t total_ns = 0;

    for (size_t i = 0; i < count; i++) {
        total_ns = cprof_saturating_add(total_ns, groups[i].value_ns);
    }
    (void)fprintf(out, "  thread %s", *groups->thread ? groups->thread : "(unknown)");
    print_request(out, table, groups->sample);
    (void)fputc('\n', out);
    for (size_t i = 0; i < count && i < STACKS_SHOWN_MAX; i++) {
        if (i == 0 || percent(groups[i].value_ns, total_ns) >= PERCENT_SHOWN) {
            print_stack(out, table, &groups[i], total_ns);
        }
    }
}

static void print_worker(FILE *out, const struct cprof_stack_text *wanted, const char *worker)
{
    bool is_number = *worker && strspn(worker, "0123456789") == strlen(worker);
    uint32_t pid = wanted->pid_of ? wanted->pid_of(wanted->context, worker) : 0;

    (void)fprintf(out, "%s%s", is_number ? "worker " : "", worker);
    if (pid) {
        (void)fprintf(out, ", pid %u", pid);
    }
    (void)fputc('\n', out);
}

static void print_groups(FILE *out, const struct cprof_stack_text *wanted,
                         const struct group *groups, size_t count)
{
    const char *worker = NULL;

    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && is_same_thread(&groups[i], &groups[next]);) {
            next++;
        }
        if (*groups[i].worker == '\0' || *groups[i].thread == '\0') {
            continue; /* time that has no thread: what could not be sampled */
        }
        if (!worker || strcmp(worker, groups[i].worker) != 0) {
            worker = groups[i].worker;
            print_worker(out, wanted, worker);
        }
        print_thread(out, wanted->table, &groups[i], next - i);
    }
}

char *cprof_stack_text(const struct cprof_stack_text *wanted, struct cprof_error *error)
{
    char *text = NULL;
    size_t bytes = 0, count;
    struct group *groups = make_groups(wanted->table, wanted->worker, &count);
    FILE *out = groups ? open_memstream(&text, &bytes) : NULL;

    if (out) {
        print_groups(out, wanted, groups, count);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(groups);
    if (!text) {
        cprof_fail(error, "no memory for the text of stacks");
    }
    return text;
}

/* Of all samples with the stack of `hottest`, whatever thread they are of. */
static uint64_t sum_of_stack(const struct cprof_table *table, const struct cprof_sample *hottest)
{
    const struct group stack = {.sample = hottest};
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        const struct group other = {.sample = &table->samples[i]};

        if (has_same_stack(table, &stack, &other)) {
            sum_ns = cprof_saturating_add(sum_ns, other.sample->value_ns);
        }
    }
    return sum_ns;
}

void cprof_stack_line(const struct cprof_table *table, char *to, size_t to_bytes)
{
    const struct cprof_sample *hottest = NULL;
    FILE *out;

    to[0] = '\0';
    for (size_t i = 0; i < table->sample_count; i++) {
        if (!hottest || table->samples[i].value_ns > hottest->value_ns) {
            hottest = &table->samples[i];
        }
    }
    out = hottest ? fmemopen(to, to_bytes, "w") : NULL;
    if (!out) {
        return;
    }
    (void)fprintf(
        out, "%.0f %% in %s:", percent(sum_of_stack(table, hottest), cprof_table_total_ns(table)),
        text_or(cprof_label_of(table, hottest, "state"), "unknown"));
    for (uint32_t i = 0; i < hottest->depth; i++) {
        (void)fputs(i == 0 ? " " : " < ", out);
        print_frame(out, table, table->location_pool[hottest->first_location + i]);
    }
    (void)fclose(out);
    to[to_bytes - 1] = '\0';
}
