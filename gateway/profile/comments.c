/* comments.c - see comments.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "comments.h"

#include <stdio.h>
#include <string.h>

#include "../../shared/segment/misses.h"

static void append(char *line, size_t line_bytes, const char *key, uint64_t value)
{
    size_t used = strlen(line);

    (void)snprintf(line + used, line_bytes - used, " %s=%llu", key, (unsigned long long)value);
}

static void append_misses(char *line, size_t line_bytes, const uint64_t *missed)
{
    char key[40];

    for (unsigned i = 0; i < CPROF_MISS_COUNT; i++) {
        if (missed[i] > 0) {
            (void)snprintf(key, sizeof(key), "missed_%s", cprof_miss_name(i));
            append(line, line_bytes, key, missed[i]);
        }
    }
}

/* The timer's ticks are a sample of all CPU time, whatever they are used for. */
uint64_t cprof_timer_raw_ns(const struct cprof_log_view *view)
{
    return cprof_saturating_add(
        view->timer_weight_ns, cprof_saturating_add(view->kernel_weight_ns, view->other_weight_ns));
}

/* How often the timers should have ticked, by the clocks of the threads that had one and not by
 * the handler's own count. Threads with a perf event tick more rarely (shared/segment/layout.h). */
static uint64_t expected_ticks(const struct cprof_merge *merge, const struct cprof_log_view *view)
{
    uint64_t period_ns = merge->table->period_ns;
    uint64_t perf_ns =
        view->perf_clock_ns < view->sampled_clock_ns ? view->perf_clock_ns : view->sampled_clock_ns;

    return period_ns
               ? (view->sampled_clock_ns - perf_ns + perf_ns / CPROF_TIMER_SLOWDOWN) / period_ns
               : 0;
}

static void append_wall(char *line, size_t line_bytes, const struct cprof_log_view *view)
{
    append(line, line_bytes, "wall_clock_ns", view->wall_clock_ns);
    append(line, line_bytes, "off_cpu_looks", view->off_cpu_looks);
    append(line, line_bytes, "off_cpu_weight_ns", view->off_cpu_weight_ns);
    append(line, line_bytes, "runnable_ns", view->runnable_ns);
    append(line, line_bytes, "off_cpu_moved", view->off_cpu_moved);
    append(line, line_bytes, "off_cpu_walks", view->off_cpu_walks);
}

void cprof_comment_on_slot(const struct cprof_merge *merge, const struct cprof_log_view *view,
                           const char *slot_name, uint64_t extra_ns)
{
    char line[1000] = "";

    append(line, sizeof(line), "samples", view->samples);
    append(line, sizeof(line), "timer_ticks", view->timer_ticks);
    append(line, sizeof(line), "expected_timer_ticks", expected_ticks(merge, view));
    append(line, sizeof(line), "timer_raw_ns", cprof_timer_raw_ns(view));
    if (view->perf_weight_ns > 0) {
        append(line, sizeof(line), "perf_ticks", view->perf_ticks);
        append(line, sizeof(line), "perf_user_ns", view->perf_weight_ns);
        append(line, sizeof(line), "system_call_ns", view->kernel_weight_ns);
        append(line, sizeof(line), "kernel_elsewhere_ns", extra_ns);
    }
    append(line, sizeof(line), "cpu_clock_ns", view->cpu_clock_ns);
    append(line, sizeof(line), "ticker_cpu_ns", view->ticker_cpu_ns);
    append(line, sizeof(line), "handler_cpu_ns", view->handler_cpu_ns);
    append(line, sizeof(line), "sampling_ns", view->sampling_ns);
    append_misses(line, sizeof(line), view->missed);
    if (view->missed_weight_ns > 0) {
        append(line, sizeof(line), "missed_ns", view->missed_weight_ns);
    }
    if (view->log_full_count > 0) {
        append(line, sizeof(line), "log_full", view->log_full_count);
    }
    if (view->memory_refused > 0) {
        append(line, sizeof(line), "memory_refused", view->memory_refused);
    }
    if (view->tag_overflows > 0) {
        append(line, sizeof(line), "tag_overflows", view->tag_overflows);
    }
    if (view->tags_lost > 0) {
        append(line, sizeof(line), "tags_lost", view->tags_lost);
    }
    if (view->rejected > 0) {
        append(line, sizeof(line), "rejected", view->rejected);
    }
    if (merge->kind == CPROF_KIND_WALL) {
        append_wall(line, sizeof(line), view);
    }
    cprof_table_comment(merge->table, "%s:%s%s", slot_name, line,
                        view->closed ? "" : " (ended early)");
}

static void comment_on_engine(const struct cprof_merge *merge)
{
    if (merge->perf_ns > 0) {
        cprof_table_comment(merge->table,
                            "engine: perf (task-clock events) for user time, timer (thread CPU "
                            "timers) for kernel time; %llu threads were refused an event",
                            (unsigned long long)merge->perf_refused);
        return;
    }
    cprof_table_comment(merge->table,
                        "engine: timer (thread CPU timers, which expire on the kernel's tick: "
                        "shares of short requests may be off; %s)",
                        merge->perf_refused ? "perf_event_open was refused"
                                            : "no perf event "
                                              "ticked");
}

void cprof_comment_on_window(const struct cprof_merge *merge)
{
    const struct cprof_config *config = merge->config;
    struct cprof_table *table = merge->table;
    double period_ms = (double)table->period_ns / 1e6;
    char looks[64] = "";

    cprof_table_comment(table, "program: uwsgi-cloudprofiler %s", CPROF_VERSION);
    cprof_table_comment(table, "server: uWSGI %s, CPython %s", config->uwsgi_version,
                        config->python_version);
    if (config->service[0]) {
        cprof_table_comment(table, "service: %s %s", config->service, config->service_version);
    }
    cprof_table_comment(table, "instance: %s", config->instance);
    if (merge->kind == CPROF_KIND_WALL) {
        (void)snprintf(looks, sizeof(looks), ", a look at sleeping threads each %.3f to 100 ms",
                       period_ms);
    }
    cprof_table_comment(table, "window: %.3f s, one sample each %.3f ms of CPU time%s",
                        (double)table->duration_ns / 1e9, period_ms, looks);
}

static void comment_on_number(struct cprof_table *table, const char *key, uint64_t value)
{
    cprof_table_comment(table, "%s: %llu", key, (unsigned long long)value);
}

/* Tags that found no room in the tables of the process that set them. */
static void comment_on_tags(const struct cprof_merge *merge)
{
    if (merge->tag_overflows > 0) {
        cprof_table_comment(merge->table,
                            "tag overflows: %llu samples have the value [other] for a tag, of "
                            "which a process had more than 1,000 values, or too many combinations",
                            (unsigned long long)merge->tag_overflows);
    }
    if (merge->tags_lost > 0) {
        cprof_table_comment(merge->table,
                            "tags lost: %llu samples lack a tag of a block, as a process had more "
                            "than 65,536 combinations of tags",
                            (unsigned long long)merge->tags_lost);
    }
}

static void comment_on_wall(const struct cprof_merge *merge)
{
    struct cprof_table *table = merge->table;

    comment_on_number(table, "wall clock nanoseconds", merge->wall_ns);
    comment_on_number(table, "off-cpu looks", merge->off_cpu_looks);
    comment_on_number(table, "off-cpu weight nanoseconds", merge->off_cpu_ns);
    comment_on_number(table, "runnable nanoseconds", merge->runnable_ns);
    comment_on_number(table, "off-cpu moved", merge->off_cpu_moved);
    comment_on_number(table, "off-cpu walks", merge->off_cpu_walks);
}

void cprof_comment_on_totals(const struct cprof_merge *merge)
{
    struct cprof_table *table = merge->table;
    char missed[512] = "";

    append_misses(missed, sizeof(missed), merge->missed);
    comment_on_engine(merge);
    comment_on_number(table, "samples", merge->samples);
    comment_on_number(table, "timer raw nanoseconds", merge->raw_ns);
    comment_on_number(table, "perf user nanoseconds", merge->perf_ns);
    comment_on_number(table, "system call nanoseconds", merge->system_call_ns);
    comment_on_number(table, "kernel elsewhere nanoseconds", merge->extra_ns);
    comment_on_number(table, "cpu clock nanoseconds", merge->clock_ns);
    comment_on_number(table, "ticker cpu nanoseconds", merge->ticker_ns);
    comment_on_number(table, "handler cpu nanoseconds", merge->handler_ns);
    comment_on_number(table, "missed nanoseconds", merge->missed_ns);
    if (missed[0]) {
        cprof_table_comment(table, "missed:%s", missed);
    }
    comment_on_number(table, "log full", merge->log_full);
    if (merge->memory_refused > 0) {
        comment_on_number(table, "memory refused", merge->memory_refused);
    }
    if (merge->leaves_left_out > 0) {
        comment_on_number(table, "native leaves left out", merge->leaves_left_out);
    }
    comment_on_tags(merge);
    comment_on_number(table, "rejected records", merge->rejected);
    if (merge->kind == CPROF_KIND_WALL) {
        comment_on_wall(merge);
    }
}
