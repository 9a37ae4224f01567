/* difference.c - see difference.h.
 *
 * Both profiles' functions are put into one more table, whose function numbers then stand for the
 * same function in both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "difference.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "kind.h"

/* A function's own time and the time with what it calls, as shares of all time. */
struct row {
    uint32_t function;
    double own[2], all[2];
    uint32_t seen_in; /* number + 1 of the last sample that was counted: recursion counts once */
};

struct rows {
    struct cprof_table names;
    struct row *rows; /* by function */
    size_t capacity;
    bool failed;
};

static uint32_t shared_text(struct rows *rows, const struct cprof_table *table, uint32_t text)
{
    return cprof_table_text(&rows->names, cprof_table_text_at(table, text),
                            table->texts[text].bytes);
}

/* By name and file: a function that moved by some lines is the same. */
static struct row *row_of(struct rows *rows, const struct cprof_table *table, uint32_t function)
{
    const struct cprof_function *from = &table->functions[function];
    const struct cprof_function key = {.name = shared_text(rows, table, from->name),
                                       .file = shared_text(rows, table, from->file)};
    uint32_t number = cprof_table_function(&rows->names, &key);

    if (number >= rows->capacity || rows->names.failed) {
        rows->failed = true;
        return &rows->rows[0];
    }
    rows->rows[number].function = number;
    return &rows->rows[number];
}

static void add_sample(struct rows *rows, const struct cprof_table *table, size_t index,
                       unsigned side, double total_ns)
{
    const struct cprof_sample *sample = &table->samples[index];
    double share = total_ns > 0 ? (double)sample->value_ns / total_ns : 0;

    for (uint32_t i = 0; i < sample->depth; i++) {
        uint32_t location = table->location_pool[sample->first_location + i];
        struct row *row = row_of(rows, table, table->locations[location].function);

        row->own[side] += i == 0 ? share : 0;
        row->all[side] += row->seen_in != index + 1 ? share : 0;
        row->seen_in = (uint32_t)index + 1;
    }
}

static void add_table(struct rows *rows, const struct cprof_table *table, unsigned side)
{
    double total_ns = (double)cprof_table_total_ns(table);

    for (size_t i = 0; i < rows->capacity; i++) {
        rows->rows[i].seen_in = 0;
    }
    for (size_t i = 0; i < table->sample_count; i++) {
        add_sample(rows, table, i, side, total_ns);
    }
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

static double change(const struct row *row)
{
    double own = distance(row->own[0], row->own[1]), all = distance(row->all[0], row->all[1]);

    return own > all ? own : all;
}

static int compare_changes(const void *left, const void *right)
{
    double a = change(left), b = change(right);

    return (a < b) - (a > b);
}

static json_t *rows_as_json(const struct rows *rows)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < rows->names.function_count && i < CPROF_DIFFERENCE_ROWS_MAX;
         i++) {
        const struct row *row = &rows->rows[i];
        const struct cprof_function *function = &rows->names.functions[row->function];

        if (change(row) <= 0) {
            break;
        }
        if (json_array_append_new(
                list,
                json_pack("{ss, ss, sf, sf, sf, sf, sf}", "name",
                          cprof_table_text_at(&rows->names, function->name), "file",
                          cprof_table_text_at(&rows->names, function->file), "before", row->own[0],
                          "after", row->own[1], "difference", row->own[1] - row->own[0],
                          "before_all", row->all[0], "after_all", row->all[1])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

char *cprof_difference_write(const struct cprof_table *before, const struct cprof_table *after)
{
    struct rows rows = {.capacity = before->function_count + after->function_count + 1};
    char *text = NULL;
    json_t *root;

    rows.rows = calloc(rows.capacity, sizeof(*rows.rows));
    if (!rows.rows) {
        return NULL;
    }
    cprof_table_init(&rows.names);
    add_table(&rows, before, 0);
    add_table(&rows, after, 1);
    qsort(rows.rows, rows.names.function_count, sizeof(*rows.rows), compare_changes);
    root = json_pack("{ss, sI, sI, so}", "kind", cprof_kind_name(before->kind), "before_ns",
                     (json_int_t)cprof_table_total_ns(before), "after_ns",
                     (json_int_t)cprof_table_total_ns(after), "functions", rows_as_json(&rows));
    if (root && !rows.failed) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    cprof_table_reset(&rows.names);
    free(rows.rows);
    return text;
}
