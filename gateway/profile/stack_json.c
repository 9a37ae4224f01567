/* stack_json.c - see stack_json.h.
 *
 * What has no memory is NULL, which jansson takes and answers with a failure: `ok` gathers those.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "select.h"
#include "stack_groups.h"

struct writing {
    const struct cprof_stack_text *wanted;
    struct cprof_stacks_seen seen;
    size_t frames, entries; /* written so far */
    bool cut;
    bool ok;
};

static void append(struct writing *writing, json_t *list, json_t *item)
{
    writing->ok = json_array_append_new(list, item) == 0 && writing->ok;
}

static json_t *frame_as_json(const struct cprof_table *table, uint32_t location_id)
{
    const struct cprof_location *location = &table->locations[location_id];
    const struct cprof_function *function = &table->functions[location->function];

    return json_pack("{ss, ss, si}", "name", cprof_table_text_at(table, function->name), "file",
                     cprof_table_text_at(table, function->file), "line",
                     (int)(location->line ? location->line : function->first_line));
}

static json_t *stack_as_json(struct writing *writing, const struct cprof_stack_group *group,
                             uint64_t total_ns)
{
    const struct cprof_table *table = writing->wanted->table;
    const struct cprof_sample *sample = group->sample;
    json_t *frames = json_array();

    for (uint32_t i = 0; i < sample->depth; i++) {
        append(writing, frames,
               frame_as_json(table, table->location_pool[sample->first_location + i]));
    }
    writing->frames += sample->depth;
    return json_pack("{ss?, sf, so}", "state", cprof_label_of(table, sample, "state"), "percent",
                     cprof_percent(group->value_ns, total_ns), "frames", frames);
}

static json_t *request_as_json(const struct cprof_stack_entry *entry)
{
    if (!cprof_stack_entry_is_request(entry)) {
        return json_null();
    }
    return json_pack("{ss, ss, sI, sf}", "method", entry->method, "uri", entry->uri, "start_ms",
                     (json_int_t)(entry->start_us / US_PER_MS), "seconds",
                     (double)entry->age_us / 1e6);
}

/* The entry with its stacks, and those that stand with it without theirs, which are the same. */
static json_t *entry_as_json(struct writing *writing, const struct cprof_stack_entry *entry)
{
    bool is_full = writing->frames >= CPROF_STACK_JSON_FRAMES_MAX;
    json_t *stacks = json_array(), *alike = json_array();

    writing->cut = writing->cut || is_full;
    for (size_t i = 0; i < entry->shown && !is_full; i++) {
        append(writing, stacks,
               stack_as_json(writing, &writing->seen.groups[entry->first + i], entry->total_ns));
    }
    for (size_t i = 1; i < entry->alike; i++) {
        append(
            writing, alike,
            json_pack("{ss?, so}", "name", entry[i].thread, "request", request_as_json(&entry[i])));
    }
    return json_pack("{ss?, so, si, so, so}", "name", entry->thread, "request",
                     request_as_json(entry), "greenlets", (int)entry->greenlets, "alike", alike,
                     "stacks", stacks);
}

/* The name is that of /status: "worker 1", "mule 2". */
static json_t *worker_as_json(const struct cprof_stack_text *wanted, const char *worker,
                              json_t *threads)
{
    bool is_number = strspn(worker, "0123456789") == strlen(worker);
    uint32_t pid = wanted->pid_of ? wanted->pid_of(wanted->context, worker) : 0;

    return json_pack("{ss+, so, so}", "name", is_number ? "worker " : "", worker, "pid",
                     pid ? json_integer(pid) : json_null(), "threads", threads);
}

static void add_workers(struct writing *writing, json_t *workers)
{
    const struct cprof_stacks_seen *seen = &writing->seen;
    const char *worker = NULL;
    json_t *threads = NULL; /* of the worker that was begun; the list of workers has it */

    for (size_t i = 0; i < seen->entry_count; i += seen->entries[i].alike) {
        writing->entries += seen->entries[i].alike;
        if (writing->entries > CPROF_STACK_JSON_ENTRIES_MAX) {
            writing->cut = true;
            return;
        }
        if (!worker || strcmp(worker, seen->entries[i].worker) != 0) {
            worker = seen->entries[i].worker;
            threads = json_array();
            append(writing, workers, worker_as_json(writing->wanted, worker, threads));
        }
        if (!writing->ok) {
            return; /* then there may be no list of threads either */
        }
        append(writing, threads, entry_as_json(writing, &seen->entries[i]));
    }
}

char *cprof_stack_json(const struct cprof_stack_text *wanted, struct cprof_error *error)
{
    const struct cprof_stacks_wanted stacks = {.table = wanted->table,
                                               .worker = wanted->worker,
                                               .running = wanted->running,
                                               .end_unix_ns = wanted->end_unix_ns};
    struct writing writing = {.wanted = wanted,
                              .cut = wanted->running && wanted->running->lacks_some};
    json_t *workers = json_array(), *root;
    char *text = NULL;

    writing.ok = cprof_stacks_see(&writing.seen, &stacks);
    if (writing.ok) {
        add_workers(&writing, workers);
    }
    root = json_pack("{so, sb}", "workers", workers, "cut", (int)writing.cut);
    if (root && writing.ok) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    cprof_stacks_seen_free(&writing.seen);
    if (!text) {
        cprof_fail(error, "no memory for the stacks as JSON");
    }
    return text;
}
