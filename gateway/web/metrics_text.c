/* metrics_text.c - see status_text.h.
 *
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/counters.h"
#include "../../shared/segment/figures.h"
#include "../profile/clean_text.h"
#include "../profile/slot_name.h"
#include "status_text.h"

#define PREFIX "cloudprofiler_"

static void write_head(FILE *out, const char *name, const char *meaning, bool counts)
{
    (void)fprintf(out, "# HELP " PREFIX "%s %s.\n# TYPE " PREFIX "%s %s\n", name, meaning, name,
                  counts ? "counter" : "gauge");
}

/* A label's value: valid UTF-8 with \, " and newlines escaped. */
static void write_label(FILE *out, const char *key, const char *value)
{
    char clean[CPROF_CLEAN_TEXT_BYTES(CPROF_SERVICE_VERSION_BYTES)];

    (void)cprof_clean_text(clean, sizeof(clean), value, strlen(value));
    (void)fprintf(out, "%s=\"", key);
    for (const char *c = clean; *c; c++) {
        if (*c == '\\' || *c == '"') {
            (void)fputc('\\', out);
        }
        (void)fputc(*c, out);
    }
    (void)fputc('"', out);
}

static void write_figures(FILE *out, const struct cprof_status_report *report)
{
    for (unsigned i = 0; i < CPROF_FIGURE_COUNT; i++) {
        const struct cprof_figure_text text = cprof_figure_text((enum cprof_figure)i);

        if (text.name) {
            write_head(out, text.name, text.meaning, text.counts);
            (void)fprintf(out, PREFIX "%s %lld\n", text.name, (long long)report->figures[i]);
        }
    }
}

static void write_gateway(FILE *out, const struct cprof_status_report *report,
                          const struct cprof_config *config)
{
    write_head(out, "info", "Versions and names", false);
    (void)fputs(PREFIX "info{", out);
    write_label(out, "version", report->version);
    (void)fputc(',', out);
    write_label(out, "service", config->service);
    (void)fputc(',', out);
    write_label(out, "service_version", config->service_version);
    (void)fputs("} 1\n", out);
    write_head(out, "gateway_starts", "How often a gateway was started on this segment", true);
    (void)fprintf(out, PREFIX "gateway_starts %u\n", report->gateway_starts);
    write_head(out, "log_lines_dropped",
               "Log lines of this gateway that were dropped, since nobody read the log", true);
    (void)fprintf(out, PREFIX "log_lines_dropped %llu\n",
                  (unsigned long long)report->log_lines_dropped);
    write_head(out, "loop_longest_ms",
               "The longest that the gateway let everybody wait for what it did at a time", false);
    (void)fprintf(out, PREFIX "loop_longest_ms %.3f\n", (double)report->loop_longest_ns / 1e6);
    write_head(out, "loop_longest_minute_ms", "The same, of the last minute", false);
    (void)fprintf(out, PREFIX "loop_longest_minute_ms %.3f\n",
                  (double)report->loop_longest_minute_ns / 1e6);
    write_head(out, "windows_open", "Windows that are sampled now", false);
    (void)fprintf(out, PREFIX "windows_open %zu\n", report->window_count);
    write_head(out, "windows_lost", "Windows that no profile was made of", true);
    (void)fprintf(out, PREFIX "windows_lost %llu\n", (unsigned long long)report->windows_lost);
    write_head(out, "stacks_in_other",
               "Stacks that found no room in a profile and are shown as [other]", true);
    (void)fprintf(out, PREFIX "stacks_in_other %llu\n",
                  (unsigned long long)report->stacks_in_other);
    write_head(out, "slow_requests_cut",
               "Slow requests that were followed for a part of their time or not at all, since "
               "more were slow at once than can be followed",
               true);
    (void)fprintf(out, PREFIX "slow_requests_cut %llu\n",
                  (unsigned long long)report->slow_requests_cut);
}

static void write_files(FILE *out, const struct cprof_status_report *report,
                        const struct cprof_config *config)
{
    if (config->output_dir[0] != '\0') {
        write_head(out, "files_waiting", "Profiles that wait for the disk of output-dir", false);
        (void)fprintf(out, PREFIX "files_waiting %u\n", report->files_waiting);
    }
}

static void write_overhead(FILE *out, const struct cprof_status_overhead *overhead)
{
    write_head(out, "period_ns", "CPU time between two samples in the windows that begin now",
               false);
    (void)fprintf(out, PREFIX "period_ns %llu\n",
                  (unsigned long long)(overhead->period_ms * NS_PER_MS));
    if (overhead->samples_per_s >= 0) {
        write_head(out, "samples_per_second",
                   "Samples a second of all processes together in the last window", false);
        (void)fprintf(out, PREFIX "samples_per_second %.2f\n", overhead->samples_per_s);
    }
    if (overhead->percent >= 0) {
        write_head(out, "overhead_percent",
                   "What profiling took of a worker's CPU time, where it took most", false);
        (void)fprintf(out, PREFIX "overhead_percent %.4f\n", overhead->percent);
    }
}

static void begin_slot(FILE *out, const char *name, const struct cprof_status_slot *slot)
{
    char slot_name[CPROF_SLOT_NAME_BYTES];

    cprof_slot_name(slot_name, slot->kind, slot->number);
    (void)fprintf(out, PREFIX "%s{", name);
    write_label(out, "slot", slot_name);
}

static void write_slot_misses(FILE *out, const struct cprof_status_report *report)
{
    write_head(out, "slot_misses", "Ticks that gave no stack, by reason", true);
    for (size_t i = 0; i < report->slot_count; i++) {
        for (unsigned reason = 0; reason < CPROF_MISS_COUNT; reason++) {
            begin_slot(out, "slot_misses", &report->slots[i]);
            (void)fputc(',', out);
            write_label(out, "reason", cprof_miss_name(reason));
            (void)fprintf(
                out, "} %llu\n",
                (unsigned long long)report->slots[i].counters[CPROF_COUNTER_MISSED + reason]);
        }
    }
}

static void write_slot_counters(FILE *out, const struct cprof_status_report *report,
                                const char *name, const char *meaning, enum cprof_counter counter)
{
    write_head(out, name, meaning, true);
    for (size_t i = 0; i < report->slot_count; i++) {
        begin_slot(out, name, &report->slots[i]);
        (void)fprintf(out, "} %llu\n", (unsigned long long)report->slots[i].counters[counter]);
    }
}

static void write_slots(FILE *out, const struct cprof_status_report *report)
{
    write_slot_counters(out, report, "slot_samples", "Ticks that gave a stack",
                        CPROF_COUNTER_SAMPLES);
    write_slot_counters(out, report, "slot_looks", "Looks at sleeping threads that booked time",
                        CPROF_COUNTER_OFF_CPU_LOOKS);
    write_head(out, "slot_cpu_share", "CPU time of a core that the process used in the last window",
               false);
    for (size_t i = 0; i < report->slot_count; i++) {
        if (report->slots[i].cpu_share >= 0) {
            begin_slot(out, "slot_cpu_share", &report->slots[i]);
            (void)fprintf(out, "} %.6f\n", report->slots[i].cpu_share);
        }
    }
    write_head(out, "slot_log_used_bytes", "What of the log is in use", false);
    for (size_t i = 0; i < report->slot_count; i++) {
        begin_slot(out, "slot_log_used_bytes", &report->slots[i]);
        (void)fprintf(out, "} %llu\n", (unsigned long long)report->slots[i].log_used_bytes);
    }
    write_slot_misses(out, report);
}

char *cprof_status_as_metrics(const struct cprof_status_report *report,
                              const struct cprof_config *config)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (!out) {
        return NULL;
    }
    write_figures(out, report);
    write_gateway(out, report, config);
    write_files(out, report, config);
    write_overhead(out, &report->overhead);
    write_slots(out, report);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
