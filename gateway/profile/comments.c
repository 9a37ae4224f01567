/* comments.c - see comments.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "comments.h"

#include <stdio.h>
#include <string.h>

#include "../../shared/segment/counters.h"
#include "slot_name.h"

static void append(char *line, size_t line_bytes, const char *key, uint64_t value)
{
    size_t used = strlen(line);

    (void)snprintf(line + used, line_bytes - used, " %s=%llu", key, (unsigned long long)value);
}

/* Those of `from` up to `until` that are shown in a slot's line. */
static void append_counters(char *line, size_t line_bytes, const struct cprof_table *table,
                            const uint64_t *counters, unsigned from, unsigned until)
{
    for (unsigned i = from; i < until; i++) {
        const struct cprof_counter_text text = cprof_counter_text(i);
        bool is_shown = text.shown == CPROF_SHOWN_WALL ? table->kind == CPROF_KIND_WALL
                        : text.shown == CPROF_SHOWN_WITH_PERF
                            ? counters[CPROF_COUNTER_PERF_WEIGHT_NS] > 0
                            : text.shown == CPROF_SHOWN_ALWAYS || counters[i] > 0;

        if (text.key && is_shown) {
            append(line, line_bytes, text.key, counters[i]);
        }
    }
}

/* The timer's ticks are a sample of all CPU time, whatever they are used for. */
static uint64_t timer_raw_ns(const uint64_t *counters)
{
    return cprof_saturating_add(counters[CPROF_COUNTER_TIMER_WEIGHT_NS],
                                cprof_saturating_add(counters[CPROF_COUNTER_KERNEL_WEIGHT_NS],
                                                     counters[CPROF_COUNTER_OTHER_WEIGHT_NS]));
}

/* How often the timers should have ticked, by the clocks of the threads that had one and not by
 * the handler's own count. Threads with a perf event tick more rarely (shared/segment/layout.h). */
static uint64_t expected_ticks(uint64_t period_ns, const uint64_t *counters)
{
    uint64_t sampled_ns = counters[CPROF_COUNTER_SAMPLED_CLOCK_NS];
    uint64_t perf_ns = counters[CPROF_COUNTER_PERF_CLOCK_NS];

    perf_ns = perf_ns < sampled_ns ? perf_ns : sampled_ns;
    return period_ns ? (sampled_ns - perf_ns + perf_ns / CPROF_TIMER_SLOWDOWN) / period_ns : 0;
}

static void comment_on_slot(struct cprof_table *table, const struct cprof_slot_sum *slot)
{
    const uint64_t *counters = slot->counters;
    char line[1200] = "", name[CPROF_SLOT_NAME_BYTES];

    append_counters(line, sizeof(line), table, counters, 0, CPROF_COUNTER_PERF_TICKS);
    append(line, sizeof(line), "expected_timer_ticks", expected_ticks(table->period_ns, counters));
    append(line, sizeof(line), "timer_raw_ns", timer_raw_ns(counters));
    append_counters(line, sizeof(line), table, counters, CPROF_COUNTER_PERF_TICKS,
                    CPROF_COUNTER_CPU_CLOCK_NS);
    if (counters[CPROF_COUNTER_PERF_WEIGHT_NS] > 0) {
        append(line, sizeof(line), "kernel_elsewhere_ns", slot->extra_ns);
    }
    append_counters(line, sizeof(line), table, counters, CPROF_COUNTER_CPU_CLOCK_NS,
                    CPROF_COUNTER_WALL_CLOCK_NS);
    if (slot->rejected > 0) {
        append(line, sizeof(line), "rejected", slot->rejected);
    }
    append_counters(line, sizeof(line), table, counters, CPROF_COUNTER_WALL_CLOCK_NS,
                    CPROF_COUNTER_COUNT);
    cprof_slot_name(name, slot->kind, slot->number);
    cprof_table_comment(table, "%s:%s%s", name, line, slot->closed ? "" : " (ended early)");
}

static void comment_on_engine(struct cprof_table *table, const uint64_t *counters)
{
    uint64_t perf_refused = counters[CPROF_COUNTER_PERF_REFUSED];
    const char *why = perf_refused ? "perf_event_open was refused" : "no perf event ticked";

    if (counters[CPROF_COUNTER_PERF_WEIGHT_NS] > 0) {
        cprof_table_comment(table,
                            "engine: perf (task-clock events) for user time, timer (thread CPU "
                            "timers) for kernel time; %llu threads were refused an event",
                            (unsigned long long)perf_refused);
        return;
    }
    if (counters[CPROF_COUNTER_PERF_GIVEN_UP] > 0) {
        why = "perf events were given up, as they cost too much here";
    }
    cprof_table_comment(table,
                        "engine: timer (thread CPU timers, which expire on the kernel's tick: "
                        "shares of short requests may be off; %s)",
                        why);
}

/* Why the period is another one than what was set. */
static void comment_on_limits(struct cprof_table *table, const struct cprof_config *config)
{
    char samples[32] = "off", percent[32] = "off";

    if (config->max_samples > 0) {
        (void)snprintf(samples, sizeof(samples), "%u a second", config->max_samples);
    }
    if (config->max_overhead_hundredths > 0) {
        (void)snprintf(percent, sizeof(percent), "%u.%02u %%",
                       config->max_overhead_hundredths / 100,
                       config->max_overhead_hundredths % 100);
    }
    cprof_table_comment(table,
                        "period: longer than the %u ms that are set, to keep within "
                        "cloudprofiler-max-samples (%s) and cloudprofiler-max-overhead (%s)",
                        config->set_period_ms, samples, percent);
}

void cprof_comment_on_window(struct cprof_table *table, const struct cprof_config *config,
                             const struct cprof_window_parts *parts)
{
    double period_ms = (double)table->period_ns / 1e6;
    char looks[80] = "";

    cprof_table_comment(table, "program: uwsgi-cloudprofiler %s", CPROF_VERSION);
    cprof_table_comment(table, "server: uWSGI %s, CPython %s", config->uwsgi_version,
                        config->python_version);
    if (config->service[0]) {
        cprof_table_comment(table, "service: %s %s", config->service, config->service_version);
    }
    cprof_table_comment(table, "instance: %s", config->instance);
    if (table->kind == CPROF_KIND_WALL) {
        (void)snprintf(looks, sizeof(looks),
                       ", looks at sleeping threads %.3f ms to a second apart on average",
                       period_ms);
    }
    cprof_table_comment(table, "window: %.3f s, one sample each %.3f ms of CPU time%s",
                        (double)table->duration_ns / 1e9, period_ms, looks);
    if (parts->count > 1) {
        cprof_table_comment(table,
                            "parts: %u, as logs were half full; %.3f s between them are not "
                            "sampled and not in the window's time",
                            parts->count, (double)parts->gap_ns / 1e9);
    }
    if (parts->flags & (uint32_t)CPROF_WINDOW_STRETCHED) {
        comment_on_limits(table, config);
    }
}

static void comment_on_number(struct cprof_table *table, const char *title, uint64_t value)
{
    cprof_table_comment(table, "%s: %llu", title, (unsigned long long)value);
}

/* The sums of `from` up to `until`. */
static void comment_on_counters(struct cprof_table *table, const uint64_t *counters, unsigned from,
                                unsigned until)
{
    for (unsigned i = from; i < until; i++) {
        const struct cprof_counter_text text = cprof_counter_text(i);
        bool is_shown = text.shown == CPROF_SHOWN_WALL
                            ? table->kind == CPROF_KIND_WALL
                            : text.shown != CPROF_SHOWN_COUNTED || counters[i] > 0;

        if (text.title && is_shown) {
            cprof_table_comment(table, "%s: %llu%s", text.title, (unsigned long long)counters[i],
                                text.note ? text.note : "");
        }
    }
}

static void comment_on_misses(struct cprof_table *table, const uint64_t *counters)
{
    char line[512] = "";

    append_counters(line, sizeof(line), table, counters, CPROF_COUNTER_MISSED,
                    CPROF_COUNTER_MISSED + CPROF_MISS_COUNT);
    if (line[0]) {
        cprof_table_comment(table, "missed:%s", line);
    }
}

/* The sums of all slots. */
struct totals {
    uint64_t counters[CPROF_COUNTER_COUNT];
    uint64_t timer_raw_ns; /* the ticks of timers, a sample of all CPU time */
    uint64_t extra_ns;
    uint64_t rejected;
};

static void comment_on_totals(struct cprof_table *table, const struct totals *totals)
{
    const uint64_t *counters = totals->counters;

    comment_on_engine(table, counters);
    comment_on_counters(table, counters, 0, CPROF_COUNTER_PERF_TICKS);
    comment_on_number(table, "timer raw nanoseconds", totals->timer_raw_ns);
    comment_on_counters(table, counters, CPROF_COUNTER_PERF_TICKS, CPROF_COUNTER_CPU_CLOCK_NS);
    comment_on_number(table, "kernel elsewhere nanoseconds", totals->extra_ns);
    comment_on_counters(table, counters, CPROF_COUNTER_CPU_CLOCK_NS, CPROF_COUNTER_LOG_FULL);
    comment_on_misses(table, counters);
    comment_on_counters(table, counters, CPROF_COUNTER_LOG_FULL, CPROF_COUNTER_WALL_CLOCK_NS);
    comment_on_number(table, "rejected records", totals->rejected);
    comment_on_counters(table, counters, CPROF_COUNTER_WALL_CLOCK_NS, CPROF_COUNTER_COUNT);
}

static void add_to(uint64_t *total, uint64_t value)
{
    *total = cprof_saturating_add(*total, value);
}

static void add_slot(struct totals *totals, const struct cprof_slot_sum *slot)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        add_to(&totals->counters[i], slot->counters[i]);
    }
    add_to(&totals->timer_raw_ns, timer_raw_ns(slot->counters));
    add_to(&totals->extra_ns, slot->extra_ns);
    add_to(&totals->rejected, slot->rejected);
}

void cprof_comment_on_slots(struct cprof_table *table, const struct cprof_slot_sums *sums)
{
    struct totals totals = {.extra_ns = 0};

    for (size_t i = 0; i < sums->count; i++) {
        if (sums->slots[i].says_something) {
            comment_on_slot(table, &sums->slots[i]);
        }
        add_slot(&totals, &sums->slots[i]);
    }
    comment_on_totals(table, &totals);
}
