/* stack_groups.c - see stack_groups.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack_groups.h"

#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "select.h"

/* Stacks of one entry that are shown, and the part that each but the first must have. */
#define STACKS_SHOWN_MAX 3u
#define PERCENT_SHOWN    20.0

#define HASH_SEED  UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* One sample, and what it belongs to. */
struct row {
    const struct cprof_sample *sample;
    const char *worker, *thread, *method, *uri;
    uint64_t start_us;
    uint64_t place; /* hash of its stack if that is an entry of its own, else 0 */
    uint64_t stack; /* hash */
    uint64_t value_ns;
};

static const char *text_or(const char *text, const char *other)
{
    return text ? text : other;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_PRIME;
    return hash ^ hash >> 29;
}

static int compare_numbers(uint64_t left, uint64_t right)
{
    return left == right ? 0 : left < right ? -1 : 1;
}

/* Equal texts are the same one as a rule; none comes last. */
static int compare_texts(const char *left, const char *right)
{
    if (left == right) {
        return 0;
    }
    return !left ? 1 : !right ? -1 : strcmp(left, right);
}

/* "9" comes before "10", and workers before mules and spoolers. */
static int compare_workers(const char *left, const char *right)
{
    char *left_end, *right_end;
    unsigned long a, b;

    if (left == right) {
        return 0;
    }
    a = strtoul(left, &left_end, 10);
    b = strtoul(right, &right_end, 10);
    if (*left_end == '\0' && *right_end == '\0' && a != b) {
        return a < b ? -1 : 1;
    }
    return strcmp(left, right);
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

static uint64_t hash_of_stack(const struct cprof_table *table, const struct cprof_sample *sample)
{
    uint64_t hash = mix(HASH_SEED, sample->depth);

    for (uint32_t i = 0; i < sample->depth; i++) {
        const struct cprof_location *location =
            &table->locations[table->location_pool[sample->first_location + i]];

        hash = mix(mix(hash, location->function), (uint32_t)location->line);
    }
    return hash ? hash : 1;
}

static struct row row_of(const struct cprof_table *table, const struct cprof_sample *sample)
{
    const char *start = cprof_label_of(table, sample, "request");
    struct row row = {
        .sample = sample,
        .worker = text_or(cprof_label_of(table, sample, "worker"), ""),
        .thread = text_or(cprof_label_of(table, sample, "thread"), ""),
        .start_us = start ? strtoull(start, NULL, 10) : 0,
        .stack = hash_of_stack(table, sample),
        .value_ns = sample->value_ns,
    };

    if (row.start_us > 0) {
        row.method = text_or(cprof_label_of(table, sample, "method"), "-");
        row.uri = text_or(cprof_label_of(table, sample, "uri"), "-");
    } else if (strcmp(text_or(cprof_label_of(table, sample, "state"), ""), "greenlet") == 0) {
        row.place = row.stack;
    }
    return row;
}

/* What belongs to one entry. */
static int compare_owners(const struct row *a, const struct row *b)
{
    int order = compare_workers(a->worker, b->worker);

    order = order ? order : compare_texts(a->thread, b->thread);
    order = order ? order : compare_numbers(a->start_us, b->start_us);
    order = order ? order : compare_texts(a->uri, b->uri);
    order = order ? order : compare_texts(a->method, b->method);
    return order ? order : compare_numbers(a->place, b->place);
}

static int compare_by_stack(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = compare_owners(a, b);

    order = order ? order : compare_numbers(a->stack, b->stack);
    return order ? order : compare_numbers(b->value_ns, a->value_ns);
}

static int compare_by_value(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = compare_owners(a, b);

    order = order ? order : compare_numbers(b->value_ns, a->value_ns);
    return order ? order : compare_numbers(a->stack, b->stack);
}

/* Samples of one owner that differ by their states alone become one. */
static size_t fold(const struct cprof_table *table, struct row *rows, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct row *last = kept > 0 ? &rows[kept - 1] : NULL;

        if (last && last->stack == rows[i].stack && compare_owners(last, &rows[i]) == 0 &&
            cprof_has_same_stack(table, last->sample, rows[i].sample)) {
            last->value_ns = cprof_saturating_add(last->value_ns, rows[i].value_ns);
        } else {
            rows[kept++] = rows[i];
        }
    }
    return kept;
}

/* A greenlet that waits for work, as its thread does, which is shown. */
static bool is_idle_greenlet(const struct cprof_table *table, const struct row *row)
{
    const struct cprof_location *innermost;

    if (row->place == 0 || row->sample->depth == 0) {
        return false;
    }
    innermost = &table->locations[table->location_pool[row->sample->first_location]];
    return strcmp(cprof_table_text_at(table, table->functions[innermost->function].name),
                  "[idle]") == 0;
}

static struct row *make_rows(const struct cprof_stacks_wanted *wanted, size_t *count)
{
    const struct cprof_table *table = wanted->table;
    struct row *rows = calloc(table->sample_count + 1, sizeof(*rows));

    *count = 0;
    for (size_t i = 0; rows && i < table->sample_count; i++) {
        struct row row = row_of(table, &table->samples[i]);

        if (*row.worker && *row.thread && !is_idle_greenlet(table, &row) &&
            (!wanted->worker || strcmp(wanted->worker, row.worker) == 0)) {
            rows[(*count)++] = row;
        }
    }
    if (rows) {
        qsort(rows, *count, sizeof(*rows), compare_by_stack);
        *count = fold(table, rows, *count);
        qsort(rows, *count, sizeof(*rows), compare_by_value);
    }
    return rows;
}

double cprof_percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

/* What is between the parts of a window is in no profile's duration, and yet requests grow
 * older. */
static void note_ages(struct cprof_stack_entry *entries, size_t count,
                      const struct cprof_stacks_wanted *wanted)
{
    const struct cprof_table *table = wanted->table;
    uint64_t end_unix_ns =
        wanted->end_unix_ns ? wanted->end_unix_ns : table->time_unix_ns + table->duration_ns;
    uint64_t end_us = end_unix_ns / NS_PER_US;

    for (size_t i = 0; i < count; i++) {
        uint64_t start_us = entries[i].start_us;

        entries[i].age_us = start_us > 0 && start_us < end_us ? end_us - start_us : 0;
    }
}

/* How many greenlets waited in a stack, from the sum of their times. */
static uint32_t greenlets_of(const struct cprof_table *table, const struct row *row)
{
    uint64_t whole_ns = table->duration_ns ? table->duration_ns : 1;
    uint64_t count = (row->value_ns + whole_ns / 2) / whole_ns;

    if (row->place == 0) {
        return 0;
    }
    return count == 0 ? 1 : count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

/* How many of the entry's groups are worth showing, and a number that says what is shown. */
static void choose_shown(struct cprof_stack_entry *entry, const struct cprof_table *table,
                         const struct row *rows, size_t count)
{
    entry->shown = 0;
    entry->look = HASH_SEED;
    while (entry->shown < count && entry->shown < STACKS_SHOWN_MAX &&
           (entry->shown == 0 ||
            cprof_percent(rows[entry->shown].value_ns, entry->total_ns) >= PERCENT_SHOWN)) {
        const struct row *row = &rows[entry->shown++];
        const char *state = text_or(cprof_label_of(table, row->sample, "state"), "");

        entry->look = mix(entry->look, row->stack);
        for (; *state; state++) {
            entry->look = mix(entry->look, (uint8_t)*state);
        }
    }
}

/* The rows of one owner, `count`, become an entry. */
static struct cprof_stack_entry entry_of(const struct cprof_table *table, const struct row *rows,
                                         size_t first, size_t count)
{
    const struct row *row = &rows[first];
    struct cprof_stack_entry entry = {
        .worker = row->worker,
        .thread = row->thread,
        .method = row->method,
        .uri = row->uri,
        .start_us = row->start_us,
        .greenlets = greenlets_of(table, row),
        .first = first,
    };

    for (size_t i = 0; i < count; i++) {
        entry.total_ns = cprof_saturating_add(entry.total_ns, row[i].value_ns);
    }
    choose_shown(&entry, table, row, count);
    return entry;
}

static size_t make_entries(struct cprof_stack_entry *entries, const struct cprof_table *table,
                           const struct row *rows, size_t count)
{
    size_t made = 0, next;

    for (size_t first = 0; first < count; first = next) {
        for (next = first + 1; next < count && compare_owners(&rows[first], &rows[next]) == 0;) {
            next++;
        }
        entries[made++] = entry_of(table, rows, first, next - first);
    }
    return made;
}

/* A worker's requests are told apart by when they began, whatever tags say of them. */
static int compare_requests(const void *left, const void *right)
{
    const struct cprof_stack_entry *a = left, *b = right;
    int order = compare_workers(a->worker, b->worker);

    return order ? order : compare_numbers(a->start_us, b->start_us);
}

/* Adds those that run and that no stack belongs to. */
static size_t add_without_stacks(struct cprof_stack_entry *entries, size_t seen_count,
                                 const struct cprof_stacks_wanted *wanted)
{
    const struct cprof_running *running = wanted->running;
    size_t count = seen_count;

    qsort(entries, seen_count, sizeof(*entries), compare_requests);
    for (size_t i = 0; running && i < running->count; i++) {
        const struct cprof_running_request *request = &running->requests[i];
        struct cprof_stack_entry entry = {
            .worker = request->worker,
            .method = request->method,
            .uri = request->uri,
            .start_us = request->start_us,
        };

        if ((!wanted->worker || strcmp(wanted->worker, entry.worker) == 0) &&
            !bsearch(&entry, entries, seen_count, sizeof(*entries), compare_requests)) {
            entries[count++] = entry;
        }
    }
    return count;
}

/* The order of entries among themselves: requests by age, then the others by name. */
static int compare_ranks(const struct cprof_stack_entry *a, const struct cprof_stack_entry *b)
{
    int order = compare_numbers(cprof_stack_entry_is_request(b), cprof_stack_entry_is_request(a));

    order = order ? order : compare_numbers(a->start_us, b->start_us);
    order = order ? order : compare_texts(a->thread, b->thread);
    order = order ? order : compare_numbers(b->greenlets, a->greenlets);
    order = order ? order : compare_texts(a->uri, b->uri);
    return order ? order : compare_numbers(a->look, b->look);
}

/* What stands together: what looks the same, requests and others apart. Greenlets without a request
 * are one entry of each look already. */
static int compare_looks(const struct cprof_stack_entry *a, const struct cprof_stack_entry *b)
{
    int order = compare_numbers(cprof_stack_entry_is_request(b), cprof_stack_entry_is_request(a));

    order = order ? order : compare_numbers(a->greenlets > 0, b->greenlets > 0);
    order = order ? order : compare_numbers(a->shown, b->shown);
    return order ? order : compare_numbers(a->look, b->look);
}

static int compare_entries_by_look(const void *left, const void *right)
{
    const struct cprof_stack_entry *a = left, *b = right;
    int order = compare_workers(a->worker, b->worker);

    order = order ? order : compare_looks(a, b);
    return order ? order : compare_ranks(a, b);
}

/* Entries that stand together, and the first of them. */
struct cluster {
    const struct cprof_stack_entry *first;
    size_t count;
};

static int compare_clusters(const void *left, const void *right)
{
    const struct cluster *a = left, *b = right;
    int order = compare_workers(a->first->worker, b->first->worker);

    return order ? order : compare_ranks(a->first, b->first);
}

static size_t make_clusters(struct cluster *clusters, const struct cprof_stack_entry *entries,
                            size_t count)
{
    size_t made = 0, next;

    for (size_t first = 0; first < count; first = next) {
        for (next = first + 1; next < count &&
                               compare_workers(entries[first].worker, entries[next].worker) == 0 &&
                               compare_looks(&entries[first], &entries[next]) == 0;) {
            next++;
        }
        clusters[made++] = (struct cluster){.first = &entries[first], .count = next - first};
    }
    return made;
}

/* Brings equal looks together, each lot in the place of its first one. */
static bool arrange(struct cprof_stacks_seen *seen)
{
    struct cprof_stack_entry *arranged = calloc(seen->entry_count + 1, sizeof(*arranged));
    struct cluster *clusters = calloc(seen->entry_count + 1, sizeof(*clusters));
    size_t count, placed = 0;

    if (!arranged || !clusters) {
        free(arranged);
        free(clusters);
        return false;
    }
    qsort(seen->entries, seen->entry_count, sizeof(*seen->entries), compare_entries_by_look);
    count = make_clusters(clusters, seen->entries, seen->entry_count);
    qsort(clusters, count, sizeof(*clusters), compare_clusters);
    for (size_t i = 0; i < count; i++) {
        memcpy(&arranged[placed], clusters[i].first, clusters[i].count * sizeof(*arranged));
        arranged[placed].alike = clusters[i].count;
        placed += clusters[i].count;
    }
    free(seen->entries);
    free(clusters);
    seen->entries = arranged;
    return true;
}

static struct cprof_stack_group *make_groups(const struct row *rows, size_t count)
{
    struct cprof_stack_group *groups = calloc(count + 1, sizeof(*groups));

    for (size_t i = 0; groups && i < count; i++) {
        groups[i] =
            (struct cprof_stack_group){.sample = rows[i].sample, .value_ns = rows[i].value_ns};
    }
    return groups;
}

bool cprof_stacks_see(struct cprof_stacks_seen *seen, const struct cprof_stacks_wanted *wanted)
{
    size_t count, running_count = wanted->running ? wanted->running->count : 0;
    struct row *rows = make_rows(wanted, &count);

    *seen = (struct cprof_stacks_seen){0};
    if (!rows) {
        return false;
    }
    seen->groups = make_groups(rows, count);
    seen->entries = calloc(count + running_count + 1, sizeof(*seen->entries));
    if (!seen->groups || !seen->entries) {
        free(rows);
        cprof_stacks_seen_free(seen);
        return false;
    }
    seen->entry_count = make_entries(seen->entries, wanted->table, rows, count);
    seen->entry_count = add_without_stacks(seen->entries, seen->entry_count, wanted);
    note_ages(seen->entries, seen->entry_count, wanted);
    free(rows);
    if (!arrange(seen)) {
        cprof_stacks_seen_free(seen);
        return false;
    }
    return true;
}

void cprof_stacks_seen_free(struct cprof_stacks_seen *seen)
{
    free(seen->groups);
    free(seen->entries);
    *seen = (struct cprof_stacks_seen){0};
}
