/* speedscope.c - see speedscope.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "speedscope.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "kind.h"

static json_t *frames_of(const struct cprof_table *table)
{
    json_t *frames = json_array();

    for (size_t i = 0; frames && i < table->function_count; i++) {
        const struct cprof_function *function = &table->functions[i];
        const char *file = cprof_table_text_at(table, function->file);
        json_t *frame = json_pack("{ss}", "name", cprof_table_text_at(table, function->name));

        if (frame && *file) {
            (void)json_object_set_new(frame, "file", json_string(file));
        }
        if (frame && function->first_line > 0) {
            (void)json_object_set_new(frame, "line", json_integer(function->first_line));
        }
        if (json_array_append_new(frames, frame) != 0) {
            json_decref(frames);
            return NULL;
        }
    }
    return frames;
}

/* Root first. */
static json_t *stack_of(const struct cprof_table *table, const struct cprof_sample *sample)
{
    const uint32_t *locations = table->location_pool + sample->first_location;
    json_t *stack = json_array();

    for (uint32_t i = sample->depth; stack && i > 0; i--) {
        json_t *frame = json_integer(table->locations[locations[i - 1]].function);

        if (json_array_append_new(stack, frame) != 0) {
            json_decref(stack);
            return NULL;
        }
    }
    return stack;
}

static bool add_samples(const struct cprof_table *table, json_t *samples, json_t *weights)
{
    bool ok = samples && weights;

    for (size_t i = 0; ok && i < table->sample_count; i++) {
        const struct cprof_sample *sample = &table->samples[i];

        ok = json_array_append_new(samples, stack_of(table, sample)) == 0 &&
             json_array_append_new(weights, json_integer((json_int_t)sample->value_ns)) == 0;
    }
    return ok;
}

char *cprof_speedscope_write(const struct cprof_table *table)
{
    json_t *samples = json_array(), *weights = json_array();
    bool ok = add_samples(table, samples, weights);
    char name[64], *text = NULL;
    json_t *root;

    (void)snprintf(name, sizeof(name), "%s time of %.1f s", cprof_kind_title(table->kind),
                   (double)table->duration_ns / 1e9);
    /* "o" takes the arrays and frees them on failure, too; NULL among them makes it fail. */
    root =
        json_pack("{ss, ss, ss, s{so}, s[{ss, ss, ss, sI, sI, so, so}]}", "$schema",
                  "https://www.speedscope.app/file-format-schema.json", "exporter",
                  "uwsgi-cloudprofiler/" CPROF_VERSION, "name", name, "shared", "frames",
                  frames_of(table), "profiles", "type", "sampled", "name", name, "unit",
                  "nanoseconds", "startValue", (json_int_t)0, "endValue",
                  (json_int_t)cprof_table_total_ns(table), "samples", samples, "weights", weights);
    if (root && ok) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    return text;
}
