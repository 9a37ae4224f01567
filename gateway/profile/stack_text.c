/* stack_text.c - see stack_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "select.h"
#include "stack_groups.h"

static const char *text_or(const char *text, const char *other)
{
    return text ? text : other;
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

/* "GET /report, for 2.3 s" */
static void print_request(FILE *out, const struct cprof_stack_entry *entry)
{
    (void)fprintf(out, "%s %s", entry->method, entry->uri);
    if (entry->age_us > 0) {
        (void)fprintf(out, ", for %.1f s", (double)entry->age_us / 1e6);
    }
}

static void print_entry(FILE *out, const struct cprof_stack_entry *entry)
{
    bool is_request = cprof_stack_entry_is_request(entry);

    if (!entry->thread) {
        (void)fputs("  a thread that is not known: ", out);
    } else {
        (void)fprintf(out, "  thread %s%s", entry->thread,
                      is_request || entry->greenlets ? ": " : "");
    }
    if (is_request) {
        print_request(out, entry);
    } else if (entry->greenlets) {
        (void)fprintf(out, "%u greenlet%s of no request that is known", entry->greenlets,
                      entry->greenlets > 1 ? "s" : "");
    }
    (void)fputc('\n', out);
}

static void print_stack(FILE *out, const struct cprof_table *table,
                        const struct cprof_stack_group *group, uint64_t total_ns)
{
    (void)fprintf(out, "    %s, %.0f %%\n",
                  text_or(cprof_label_of(table, group->sample, "state"), "state unknown"),
                  cprof_percent(group->value_ns, total_ns));
    for (uint32_t i = 0; i < group->sample->depth; i++) {
        (void)fputs("      ", out);
        print_frame(out, table, table->location_pool[group->sample->first_location + i]);
        (void)fputc('\n', out);
    }
}

/* Entries that stand together, and then their stacks. */
static void print_alike(FILE *out, const struct cprof_table *table,
                        const struct cprof_stacks_seen *seen, size_t first)
{
    const struct cprof_stack_entry *entry = &seen->entries[first];

    for (size_t i = 0; i < entry->alike; i++) {
        print_entry(out, &entry[i]);
    }
    for (size_t i = 0; i < entry->shown; i++) {
        print_stack(out, table, &seen->groups[entry->first + i], entry->total_ns);
    }
    if (entry->shown == 0) {
        (void)fputs("    its stack was not seen\n", out);
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

static void print_all(FILE *out, const struct cprof_stack_text *wanted,
                      const struct cprof_stacks_seen *seen)
{
    const char *worker = NULL;

    for (size_t i = 0; i < seen->entry_count; i += seen->entries[i].alike) {
        if (!worker || strcmp(worker, seen->entries[i].worker) != 0) {
            worker = seen->entries[i].worker;
            print_worker(out, wanted, worker);
        }
        print_alike(out, wanted->table, seen, i);
    }
    if (wanted->running && wanted->running->lacks_some) {
        (void)fputs("... more requests than are listed here\n", out);
    }
}

char *cprof_stack_text(const struct cprof_stack_text *wanted, struct cprof_error *error)
{
    const struct cprof_stacks_wanted stacks = {.table = wanted->table,
                                               .worker = wanted->worker,
                                               .running = wanted->running,
                                               .end_unix_ns = wanted->end_unix_ns};
    char *text = NULL;
    size_t bytes = 0;
    struct cprof_stacks_seen seen;
    FILE *out = cprof_stacks_see(&seen, &stacks) ? open_memstream(&text, &bytes) : NULL;

    if (out) {
        print_all(out, wanted, &seen);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    cprof_stacks_seen_free(&seen);
    if (!text) {
        cprof_fail(error, "no memory for the text of stacks");
    }
    return text;
}

/* Of all samples with the stack of `hottest`, whatever thread they are of. */
static uint64_t sum_of_stack(const struct cprof_table *table, const struct cprof_sample *hottest)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];

        if (cprof_has_same_stack(table, hottest, sample)) {
            sum_ns = cprof_saturating_add(sum_ns, sample->value_ns);
        }
    }
    return sum_ns;
}

static void write_line(const struct cprof_table *table, char *to, size_t to_bytes)
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
    (void)fprintf(out, "%.0f %% in %s:",
                  cprof_percent(sum_of_stack(table, hottest), cprof_table_total_ns(table)),
                  text_or(cprof_label_of(table, hottest, "state"), "unknown"));
    for (uint32_t i = 0; i < hottest->depth; i++) {
        (void)fputs(i == 0 ? " " : " < ", out);
        print_frame(out, table, table->location_pool[hottest->first_location + i]);
    }
    (void)fclose(out);
    to[to_bytes - 1] = '\0';
}

void cprof_stack_line(const struct cprof_table *table, char *to, size_t to_bytes)
{
    static const struct cprof_selection shown = {.leaves_out = CPROF_SELECT_NO_PLACES};
    struct cprof_table plain;

    cprof_table_init(&plain);
    (void)cprof_select(&plain, table, &shown);
    write_line(&plain, to, to_bytes);
    cprof_table_reset(&plain);
}
