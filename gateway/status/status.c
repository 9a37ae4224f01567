/* status.c - see status.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/segment/window.h"
#include "../loop/log_writer.h"

/* Of what is shorter the clocks, which are not read all at once, say nothing. */
#define SHARE_NS_MIN UINT64_C(50000000)

/* What a slot's counters said at the last look, in which epoch. */
struct last_look {
    uint32_t epoch;
    uint64_t counters[CPROF_COUNTER_COUNT];
    uint64_t shown_cpu_ns; /* CPU time in windows that is in cpu_share or was before */
};

struct cprof_status {
    const struct cprof_segment *segment;
    const struct cprof_windows *windows;
    struct cprof_status_report report;
    struct cprof_status_slot *slots;
    struct last_look *looks;
    const struct cprof_sink_counts *files; /* NULL: there is no directory */
    const struct cprof_side_thread *file_thread;
    const struct cprof_turn_clock *clock;
    const struct cprof_uploader *uploader; /* NULL: there is none */
    const struct cprof_sink_counts *uploads;
    const uint64_t *slow_requests_cut; /* NULL: none are followed */
    uint64_t started_ns;
    uint64_t shown_ns; /* up to then CPU time in windows is in cpu_share */
    char trouble[1024];
};

struct cprof_status *cprof_status_create(const struct cprof_segment *segment,
                                         const struct cprof_windows *windows,
                                         struct cprof_error *error)
{
    struct cprof_status *status = calloc(1, sizeof(*status));

    if (status) {
        status->slots = calloc(segment->slot_count, sizeof(*status->slots));
        status->looks = calloc(segment->slot_count, sizeof(*status->looks));
    }
    if (!status || !status->slots || !status->looks) {
        cprof_status_destroy(status);
        cprof_fail(error, "no memory for the status");
        return NULL;
    }
    status->segment = segment;
    status->windows = windows;
    status->started_ns = cprof_now_ns();
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        status->slots[i].cpu_share = -1;
    }
    return status;
}

void cprof_status_destroy(struct cprof_status *status)
{
    if (status) {
        free(status->slots);
        free(status->looks);
        free(status);
    }
}

void cprof_status_set_uploader(struct cprof_status *status, const struct cprof_uploader *uploader,
                               const struct cprof_sink_counts *counts)
{
    status->uploader = uploader;
    status->uploads = counts;
}

void cprof_status_set_overhead(struct cprof_status *status,
                               const struct cprof_status_overhead *overhead)
{
    status->report.overhead = *overhead;
}

void cprof_status_set_files(struct cprof_status *status, const struct cprof_sink_counts *files,
                            const struct cprof_side_thread *thread)
{
    status->files = files;
    status->file_thread = thread;
}

void cprof_status_set_clock(struct cprof_status *status, const struct cprof_turn_clock *clock)
{
    status->clock = clock;
}

void cprof_status_set_slow_requests_cut(struct cprof_status *status, const uint64_t *cut)
{
    status->slow_requests_cut = cut;
}

/* What was added since the last look. A slot that writes nonsense adds nothing. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before && now <= INT64_MAX ? now - before : 0;
}

static void add_counters(struct cprof_status_slot *slot, struct last_look *look,
                         const _Atomic uint64_t *counters)
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        uint64_t now = atomic_load(&counters[i]);

        slot->counters[i] += grown(now, look->counters[i]);
        look->counters[i] = now;
    }
}

static void look_at_log(struct cprof_status_slot *slot, const struct cprof_slot *shared,
                        uint64_t claim)
{
    slot->sampled = true;
    slot->threads = atomic_load(&shared->counters[CPROF_COUNTER_THREADS_SEEN]);
    slot->log_used_bytes = (claim & UINT32_MAX) * CPROF_CHUNK_BYTES;
    if (slot->log_used_bytes > slot->log_bytes) {
        slot->log_used_bytes = slot->log_bytes;
    }
}

/* The log is empty between two windows: then what was seen last stays. */
static void look_at_slot(struct cprof_status *status, uint32_t index)
{
    const struct cprof_slot *shared = cprof_segment_slot(status->segment, index);
    struct cprof_status_slot *slot = &status->slots[index];
    struct last_look *look = &status->looks[index];
    uint64_t claim = atomic_load(&shared->claim);
    uint32_t epoch = (uint32_t)(claim >> 32);

    slot->kind = shared->kind;
    slot->number = shared->number;
    slot->pid = atomic_load(&shared->pid);
    slot->incarnation = atomic_load(&shared->incarnation);
    slot->oldest_request_us = atomic_load(&shared->oldest_request_us);
    slot->looked_us = atomic_load(&shared->looked_us);
    slot->log_bytes = status->segment->log_bytes;
    if (claim & UINT32_MAX) {
        look_at_log(slot, shared, claim);
    }
    if (epoch != look->epoch) {
        *look = (struct last_look){.epoch = epoch, .shown_cpu_ns = look->shown_cpu_ns};
    }
    add_counters(slot, look, shared->counters);
}

/* When the first of the windows that are open now began; UINT64_MAX: none is. */
static uint64_t first_open_ns(const struct cprof_status *status, uint64_t now_ns)
{
    const struct cprof_control *control = cprof_segment_control(status->segment);
    uint32_t mask = atomic_load(&control->window_mask);
    uint64_t first_ns = UINT64_MAX;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        uint64_t start_ns = control->windows[i].start_ns;

        if (mask & (1u << i) && start_ns <= now_ns && now_ns < control->windows[i].end_ns &&
            start_ns < first_ns) {
            first_ns = start_ns;
        }
    }
    return first_ns;
}

/* Windows overlap, and the workers' clocks count once what they have in common: the time in which
 * some window was open since the last one ended. 0: too short to tell, the next one has it. */
static uint64_t sampled_since_last_ns(struct cprof_status *status,
                                      const struct cprof_window *window)
{
    uint64_t now_ns = cprof_now_ns();
    uint64_t open_ns = first_open_ns(status, now_ns);
    uint64_t end_ns = open_ns == UINT64_MAX ? window->end_ns : now_ns;
    uint64_t begin_ns = window->start_ns < open_ns ? window->start_ns : open_ns;

    begin_ns = begin_ns > status->shown_ns ? begin_ns : status->shown_ns;
    if (end_ns < begin_ns + SHARE_NS_MIN) {
        return 0;
    }
    status->shown_ns = end_ns;
    return end_ns - begin_ns;
}

void cprof_status_window_ended(struct cprof_status *status,
                               const struct cprof_window_result *result)
{
    uint64_t sampled_ns = sampled_since_last_ns(status, result->window);

    if (result->harvest) {
        status->report.windows_finished++;
        status->report.stacks_in_other += result->harvest->others;
    } else {
        status->report.windows_lost++;
    }
    for (uint32_t i = 0; i < status->segment->slot_count; i++) {
        struct last_look *look = &status->looks[i];
        struct cprof_status_slot *slot = &status->slots[i];
        uint64_t used_ns;

        look_at_slot(status, i);
        used_ns = slot->counters[CPROF_COUNTER_CPU_CLOCK_NS];
        if (sampled_ns > 0) {
            slot->cpu_share = (double)(used_ns - look->shown_cpu_ns) / (double)sampled_ns;
            look->shown_cpu_ns = used_ns;
        }
    }
}

static void read_windows(struct cprof_status *status, uint64_t now_ns)
{
    struct cprof_status_report *report = &status->report;
    struct cprof_window open[CPROF_WINDOWS_MAX];

    report->window_count = cprof_windows_read(status->windows, open);
    for (size_t i = 0; i < report->window_count; i++) {
        report->windows[i] = (struct cprof_status_window){
            .id = open[i].id,
            .kinds = open[i].kinds,
            .source = open[i].source,
            .start_unix_ns = open[i].start_unix_ns,
            .duration_ns = open[i].end_ns - open[i].start_ns,
            .elapsed_ns = now_ns > open[i].start_ns ? now_ns - open[i].start_ns : 0,
            .period_ns = open[i].period_ns,
        };
    }
}

const struct cprof_status_report *cprof_status_read(struct cprof_status *status)
{
    const struct cprof_control *control = cprof_segment_control(status->segment);
    struct cprof_status_report *report = &status->report;
    uint64_t now_ns = cprof_now_ns();

    for (uint32_t i = 0; i < status->segment->slot_count; i++) {
        look_at_slot(status, i);
    }
    read_windows(status, now_ns);
    report->version = CPROF_VERSION;
    report->gateway_pid = (uint32_t)getpid();
    report->gateway_starts = atomic_load(&control->gateway_starts);
    report->log_lines_dropped = cprof_log_writer_dropped();
    report->now_unix_ns = cprof_now_unix_ns();
    report->uptime_ns = now_ns - status->started_ns;
    report->slots = status->slots;
    report->slot_count = status->segment->slot_count;
    report->profiles_written = atomic_load(&control->profiles_written);
    report->profiles_failed = atomic_load(&control->profiles_failed);
    for (unsigned i = 0; i < CPROF_FIGURE_COUNT; i++) {
        report->figures[i] = atomic_load(&control->figures[i]);
    }
    if (status->clock) {
        report->loop_longest_ns = cprof_turn_clock_longest_ns(status->clock);
        report->loop_longest_minute_ns = cprof_turn_clock_last_minute_ns(status->clock);
    }
    report->slow_requests_cut = status->slow_requests_cut ? *status->slow_requests_cut : 0;
    if (status->files) {
        report->files = *status->files;
        report->files_waiting = cprof_side_thread_waiting(status->file_thread);
    }
    report->uploads = status->uploader != NULL;
    report->upload_trouble = status->trouble;
    status->trouble[0] = '\0';
    if (status->uploader) {
        report->upload = *status->uploads;
        cprof_uploader_trouble(status->uploader, status->trouble, sizeof(status->trouble));
    }
    return report;
}
