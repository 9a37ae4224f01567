/* text_report.c - see text_report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text_report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../shared/base/units.h"
#include "kind.h"

/* Columns: 9 + 8 + 10 + 8 + 2 + 37 + 2 + 24 = 100. */
enum { NAME_COLUMNS = 37, PLACE_COLUMNS = 24 };

/* More threads than this are noise in a summary. */
enum { THREADS_SHOWN_MAX = 16 };

/* What is summed up for a function, or for one value of a label. */
struct row {
    uint64_t flat_ns;
    uint64_t cumulative_ns;
    uint32_t id;      /* function, or text of the label's value */
    uint32_t seen_in; /* number + 1 of the last sample that was counted: recursion counts once */
};

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;

    if (a->flat_ns != b->flat_ns) {
        return a->flat_ns > b->flat_ns ? -1 : 1;
    }
    if (a->cumulative_ns != b->cumulative_ns) {
        return a->cumulative_ns > b->cumulative_ns ? -1 : 1;
    }
    return (a->id > b->id) - (a->id < b->id);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns_of(const char *text)
{
    size_t columns = 0;

    for (; *text; text++) {
        columns += !continues_character(*text);
    }
    return columns;
}

/* The end of `text` that fits into `columns`, "..." in front if something was left out. A path
 * is cut between its parts where it can be. */
static void shorten(char *out, size_t out_bytes, const char *text, size_t columns)
{
    size_t length = columns_of(text);
    size_t skip = length > columns ? length - (columns - 3) : 0;
    const char *dots = skip > 0 ? "..." : "";
    const char *slash;

    while (*text && (skip > 0 || continues_character(*text))) {
        skip -= !continues_character(*text);
        text++;
    }
    slash = *dots ? strchr(text, '/') : NULL;
    (void)snprintf(out, out_bytes, "%s%s", dots, slash ? slash : text);
}

static void sum_sample(const struct cprof_table *table, size_t index, struct row *rows)
{
    const struct cprof_sample *sample = &table->samples[index];

    for (uint32_t i = 0; i < sample->depth; i++) {
        uint32_t location = table->location_pool[sample->first_location + i];
        struct row *row = &rows[table->locations[location].function];

        if (i == 0) {
            row->flat_ns = cprof_saturating_add(row->flat_ns, sample->value_ns);
        }
        if (row->seen_in != (uint32_t)index + 1) {
            row->seen_in = (uint32_t)index + 1;
            row->cumulative_ns = cprof_saturating_add(row->cumulative_ns, sample->value_ns);
        }
    }
}

static void print_function(FILE *out, const struct cprof_table *table, const struct row *row,
                           uint64_t total_ns)
{
    const struct cprof_function *function = &table->functions[row->id];
    char name[NAME_COLUMNS * 4 + 1], place[PLACE_COLUMNS * 4 + 1], full_place[4096 + 16];
    const char *file = cprof_table_text_at(table, function->file);

    (void)snprintf(full_place, sizeof(full_place), "%s:%d", file, function->first_line);
    shorten(name, sizeof(name), cprof_table_text_at(table, function->name), NAME_COLUMNS);
    shorten(place, sizeof(place), *file ? full_place : "-", PLACE_COLUMNS);
    (void)fprintf(out, "%8.2fs %6.1f%% %8.2fs %6.1f%%  %s%*s  %s\n",
                  (double)row->flat_ns / NS_PER_S, percent(row->flat_ns, total_ns),
                  (double)row->cumulative_ns / NS_PER_S, percent(row->cumulative_ns, total_ns),
                  name, (int)(NAME_COLUMNS - columns_of(name)), "", place);
}

static bool print_top(FILE *out, const struct cprof_table *table, uint32_t top_count,
                      uint64_t total_ns)
{
    struct row *rows = calloc(table->function_count + 1, sizeof(*rows));

    if (!rows) {
        return false;
    }
    for (size_t i = 0; i < table->function_count; i++) {
        rows[i].id = (uint32_t)i;
    }
    for (size_t i = 0; i < table->sample_count; i++) {
        sum_sample(table, i, rows);
    }
    qsort(rows, table->function_count, sizeof(*rows), compare_rows);
    (void)fprintf(out, "\n%9s %7s %9s %7s  %-*s  %s\n", "flat", "flat%", "cum", "cum%",
                  NAME_COLUMNS, "function", "defined at");
    for (size_t i = 0; i < table->function_count && i < top_count; i++) {
        print_function(out, table, &rows[i], total_ns);
    }
    free(rows);
    return true;
}

/* The text of the sample's label, or the empty text. */
static uint32_t label_value(const struct cprof_table *table, const struct cprof_sample *sample,
                            const char *key)
{
    for (uint32_t i = 0; i < sample->label_count; i++) {
        const struct cprof_label *label = &table->label_pool[sample->first_label + i];

        if (strcmp(cprof_table_text_at(table, label->key), key) == 0) {
            return label->value;
        }
    }
    return 0;
}

/* Sums the samples by a label's value; rows has one entry for each text of the table, of which
 * those with a value are moved to the front and sorted. Returns their number. */
static size_t sum_by_label(const struct cprof_table *table, const char *key, struct row *rows)
{
    size_t used = 0;

    memset(rows, 0, table->text_count * sizeof(*rows));
    for (size_t i = 0; i < table->sample_count; i++) {
        struct row *row = &rows[label_value(table, &table->samples[i], key)];

        row->flat_ns = cprof_saturating_add(row->flat_ns, table->samples[i].value_ns);
    }
    for (size_t i = 0; i < table->text_count; i++) {
        if (rows[i].flat_ns > 0) {
            rows[used] = (struct row){.flat_ns = rows[i].flat_ns, .id = (uint32_t)i};
            used++;
        }
    }
    qsort(rows, used, sizeof(*rows), compare_rows);
    return used;
}

static void print_by_label(FILE *out, const struct cprof_table *table, const char *key,
                           struct row *rows, size_t rows_max)
{
    size_t used = sum_by_label(table, key, rows);
    uint64_t total_ns = cprof_table_total_ns(table);

    /* One row without a value: no sample has the label. */
    if (used == 0 || used > rows_max || (used == 1 && rows[0].id == 0)) {
        return;
    }
    (void)fprintf(out, "\n%9s %6s%%  by %s\n", cprof_kind_name(table->kind),
                  cprof_kind_name(table->kind), key);
    for (size_t i = 0; i < used; i++) {
        char name[NAME_COLUMNS * 4 + 1];

        shorten(name, sizeof(name), rows[i].id ? cprof_table_text_at(table, rows[i].id) : "(none)",
                NAME_COLUMNS);
        (void)fprintf(out, "%8.2fs %6.1f%%  %s\n", (double)rows[i].flat_ns / NS_PER_S,
                      percent(rows[i].flat_ns, total_ns), name);
    }
}

static void print_head(FILE *out, const struct cprof_table *table, uint32_t profiles,
                       uint64_t total_ns)
{
    time_t seconds = (time_t)(table->time_unix_ns / NS_PER_S);
    uint64_t samples = 0;
    char when[32] = "";
    struct tm utc;

    for (size_t i = 0; i < table->sample_count; i++) {
        samples = cprof_saturating_add(samples, table->samples[i].count);
    }
    if (gmtime_r(&seconds, &utc)) {
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc);
    }
    (void)fprintf(
        out, "%.2f s of %s time in %llu samples, %u profile%s of %.1f s in all, from %s UTC\n",
        (double)total_ns / NS_PER_S, cprof_kind_title(table->kind), (unsigned long long)samples,
        profiles, profiles == 1 ? "" : "s", (double)table->duration_ns / NS_PER_S, when);
}

bool cprof_text_report(FILE *out, const struct cprof_table *table, uint32_t profiles,
                       uint32_t top_count, struct cprof_error *error)
{
    uint64_t total_ns = cprof_table_total_ns(table);
    struct row *rows = calloc(table->text_count + 1, sizeof(*rows));
    bool ok = rows != NULL;

    if (ok) {
        print_head(out, table, profiles, total_ns);
        ok = print_top(out, table, top_count, total_ns);
    }
    if (ok) {
        print_by_label(out, table, "state", rows, table->text_count);
        print_by_label(out, table, "worker", rows, table->text_count);
        print_by_label(out, table, "thread", rows, THREADS_SHOWN_MAX);
    }
    free(rows);
    return ok ? true : cprof_fail(error, "no memory for the report");
}
