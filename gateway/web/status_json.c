/* status_json.c - see status_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/counters.h"
#include "../profile/kind.h"
#include "../profile/slot_name.h"
#include "status_text.h"

json_t *cprof_kinds_as_json(uint32_t kinds)
{
    json_t *list = json_array();

    for (unsigned i = 0; list && i < CPROF_PROFILE_KINDS; i++) {
        if (kinds & (uint32_t)cprof_profile_kinds[i]) {
            (void)json_array_append_new(list, json_string(cprof_kind_name(cprof_profile_kinds[i])));
        }
    }
    return list;
}

const char *cprof_source_name(uint32_t source)
{
    switch (source) {
    case CPROF_SOURCE_SCHEDULE:
        return "schedule";
    case CPROF_SOURCE_CLOUD:
        return "cloud";
    default:
        return "demand";
    case CPROF_SOURCE_WATCH:
        return "watch";
    }
}

/* Times of 0 have never been. */
static json_t *milliseconds(uint64_t unix_ns)
{
    return unix_ns ? json_integer((json_int_t)(unix_ns / NS_PER_MS)) : json_null();
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *misses_as_json(const struct cprof_status_slot *slot)
{
    const uint64_t *missed = slot->counters + CPROF_COUNTER_MISSED;
    json_t *object = json_object();

    for (unsigned i = 0; object && i < CPROF_MISS_COUNT; i++) {
        if (missed[i] > 0) {
            set_number(object, cprof_miss_name(i), missed[i]);
        }
    }
    return object;
}

/* All others that a metric is made of. */
static json_t *counters_as_json(const struct cprof_status_slot *slot)
{
    json_t *object = json_object();

    for (unsigned i = 0; object && i < CPROF_COUNTER_COUNT; i++) {
        const struct cprof_counter_text text = cprof_counter_text(i);

        if (text.meaning && i - CPROF_COUNTER_MISSED >= CPROF_MISS_COUNT) {
            set_number(object, text.key, slot->counters[i]);
        }
    }
    return object;
}

/* What of the log is known from windows alone. */
static json_t *if_sampled(const struct cprof_status_slot *slot, uint64_t figure)
{
    return slot->sampled ? json_integer((json_int_t)figure) : json_null();
}

/* What the worker does, by the master: at most about a second old, so that a time is never told
 * that the request did not run. */
static bool add_state(json_t *object, const struct cprof_status_slot *slot)
{
    uint64_t start_us = slot->oldest_request_us, looked_us = slot->looked_us;
    bool is_known = slot->pid && looked_us, is_running = is_known && start_us;
    double age_s = looked_us > start_us ? (double)(looked_us - start_us) / 1e6 : 0;
    const char *running = is_running ? "running" : "idle";
    json_t *state =
        json_pack("{ss?, so, so}", "state", is_known ? running : NULL, "running_seconds",
                  is_running ? json_real(age_s) : json_null(), "running_since_ms",
                  is_running ? json_integer((json_int_t)(start_us / US_PER_MS)) : json_null());
    bool ok = json_object_update(object, state) == 0;

    json_decref(state);
    return ok;
}

static json_t *slot_as_json(const struct cprof_status_slot *slot)
{
    const uint64_t *counters = slot->counters;
    char name[CPROF_SLOT_NAME_BYTES];
    json_t *object;

    cprof_slot_name(name, slot->kind, slot->number);
    object = json_pack(
        "{ss, sI, sI, so, sI, sI, so, so, sI, so, sI, so}", "name", name, "pid",
        (json_int_t)slot->pid, "incarnation", (json_int_t)slot->incarnation, "threads",
        if_sampled(slot, slot->threads), "samples", (json_int_t)counters[CPROF_COUNTER_SAMPLES],
        "looks", (json_int_t)counters[CPROF_COUNTER_OFF_CPU_LOOKS], "missed", misses_as_json(slot),
        "counters", counters_as_json(slot), "log_full",
        (json_int_t)counters[CPROF_COUNTER_LOG_FULL], "log_used_bytes",
        if_sampled(slot, slot->log_used_bytes), "log_bytes", (json_int_t)slot->log_bytes,
        "cpu_share", slot->cpu_share < 0 ? json_null() : json_real(slot->cpu_share));
    if (!add_state(object, slot)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *slots_as_json(const struct cprof_status_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < report->slot_count; i++) {
        (void)json_array_append_new(list, slot_as_json(&report->slots[i]));
    }
    return list;
}

static json_t *windows_as_json(const struct cprof_status_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < report->window_count; i++) {
        const struct cprof_status_window *window = &report->windows[i];

        (void)json_array_append_new(list, json_pack("{sI, so, ss, so, sf, sf, sf}", "id",
                                                    (json_int_t)window->id, "kinds",
                                                    cprof_kinds_as_json(window->kinds), "source",
                                                    cprof_source_name(window->source), "start_ms",
                                                    milliseconds(window->start_unix_ns),
                                                    "duration_s", (double)window->duration_ns / 1e9,
                                                    "elapsed_s", (double)window->elapsed_ns / 1e9,
                                                    "period_ms", (double)window->period_ns / 1e6));
    }
    return list;
}

static json_t *files_as_json(const struct cprof_status_report *report,
                             const struct cprof_config *config)
{
    if (config->output_dir[0] == '\0') {
        return json_null();
    }
    return json_pack("{ss, sI, sI, sI, so, sb, si}", "directory", config->output_dir, "written",
                     (json_int_t)report->files.delivered, "failed",
                     (json_int_t)report->files.dropped, "bytes", (json_int_t)report->files.bytes,
                     "last_ms", milliseconds(report->files.last_unix_ns), "failing",
                     report->files.is_failing, "waiting", (int)report->files_waiting);
}

static json_t *uploads_as_json(const struct cprof_status_report *report)
{
    if (!report->uploads) {
        return json_null();
    }
    return json_pack("{sI, sI, sI, so, ss}", "uploaded", (json_int_t)report->upload.delivered,
                     "failed", (json_int_t)report->upload.dropped, "bytes",
                     (json_int_t)report->upload.bytes, "last_ms",
                     milliseconds(report->upload.last_unix_ns), "trouble", report->upload_trouble);
}

static json_t *settings_as_json(const struct cprof_settings *settings)
{
    return json_pack("{sb, sb, so, si, si}", "on", settings->on, "upload", settings->upload,
                     "kinds", cprof_kinds_as_json(settings->kinds), "period_ms",
                     (int)settings->period_ms, "output_interval_s",
                     (int)settings->output_interval_s);
}

static json_t *overhead_as_json(const struct cprof_status_overhead *overhead)
{
    return json_pack(
        "{so, so, so, so, si}", "percent",
        overhead->percent < 0 ? json_null() : json_real(overhead->percent), "max_percent",
        overhead->ceiling_percent > 0 ? json_real(overhead->ceiling_percent) : json_null(),
        "samples_per_second",
        overhead->samples_per_s < 0 ? json_null() : json_real(overhead->samples_per_s),
        "max_samples",
        overhead->max_samples > 0 ? json_integer(overhead->max_samples) : json_null(), "period_ms",
        (int)overhead->period_ms);
}

static json_t *gateway_as_json(const struct cprof_status_report *report)
{
    return json_pack("{si, si, sf, sI, sf, sf}", "pid", (int)report->gateway_pid, "starts",
                     (int)report->gateway_starts, "uptime_s", (double)report->uptime_ns / 1e9,
                     "log_lines_dropped", (json_int_t)report->log_lines_dropped, "loop_longest_ms",
                     (double)report->loop_longest_ns / 1e6, "loop_longest_minute_ms",
                     (double)report->loop_longest_minute_ns / 1e6);
}

char *cprof_status_as_json(const struct cprof_status_report *report,
                           const struct cprof_config *config, const struct cprof_settings *settings,
                           uint64_t next_profile_unix_ns)
{
    json_t *root =
        json_pack("{ss, so, so, so, ss, so, so, so, so, so, so, so, s{sI, sI, sI}, sI}", "version",
                  report->version, "now_ms", milliseconds(report->now_unix_ns), "started_ms",
                  milliseconds(config->started_unix_ns), "next_profile_ms",
                  milliseconds(next_profile_unix_ns), "service", config->service, "gateway",
                  gateway_as_json(report), "settings", settings_as_json(settings), "overhead",
                  overhead_as_json(&report->overhead), "slots", slots_as_json(report), "windows",
                  windows_as_json(report), "files", files_as_json(report, config), "uploads",
                  uploads_as_json(report), "windows_ended", "finished",
                  (json_int_t)report->windows_finished, "lost", (json_int_t)report->windows_lost,
                  "stacks_in_other", (json_int_t)report->stacks_in_other, "slow_requests_cut",
                  (json_int_t)report->slow_requests_cut);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    return text;
}
