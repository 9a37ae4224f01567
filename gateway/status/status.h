/* status.h - everything that /status, /metrics and the page show, as plain data.
 *
 * The logs' counters begin anew with each epoch; the sums over the life of this gateway are kept
 * here, brought up to date whenever a window ends and when somebody asks.
 *
 * Callers   the gateway's thread.
 * Memory    the report is the room's own and valid until the next one.
 * Trust     slots and counters are copied out of shared memory, where any worker can write:
 *           figures may lie, and are shown as figures only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STATUS_H
#define CPROF_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../cloud/uploader.h"
#include "../loop/side_thread.h"
#include "../loop/turn_clock.h"
#include "../sinks/sink.h"
#include "../windows/windows.h"

struct cprof_status;

/* One process place. Sums are those of this gateway's life. */
struct cprof_status_slot {
    uint32_t kind; /* enum cprof_slot_kind */
    uint32_t number;
    uint32_t pid; /* 0: nobody sat here yet */
    uint32_t incarnation;
    uint64_t oldest_request_us; /* when its oldest request began, unix time; 0: it is idle, */
    uint64_t looked_us;         /* as the master saw it then; 0: nobody told */
    bool sampled;               /* what follows has been known: a window was open */
    uint64_t threads;           /* seen in the present epoch or, between two, in the last one */
    uint64_t counters[CPROF_COUNTER_COUNT];
    uint64_t log_used_bytes, log_bytes; /* the first one as threads */
    double cpu_share; /* of one core, while some window was open, up to the last one's end;
                       * below 0: none ended yet */
};

/* A window that is open, whole. */
struct cprof_status_window {
    uint32_t id, kinds, source;
    uint64_t start_unix_ns, duration_ns, elapsed_ns, period_ns;
};

/* What profiling costs, and what is done about it. */
struct cprof_status_overhead {
    double percent;         /* as in struct cprof_ceiling */
    double ceiling_percent; /* 0: there is none */
    double samples_per_s;   /* likewise */
    uint32_t max_samples;   /* a second; 0: there is no budget */
    uint32_t period_ms;     /* of the windows that are ordered without one of their own */
};

struct cprof_status_report {
    const char *version;
    uint32_t gateway_pid, gateway_starts;
    uint64_t now_unix_ns, uptime_ns;

    const struct cprof_status_slot *slots;
    size_t slot_count;
    struct cprof_status_window windows[CPROF_WINDOWS_MAX];
    size_t window_count;
    uint64_t windows_finished, windows_lost;
    uint64_t log_lines_dropped; /* by this gateway, since nobody read the log */
    uint64_t loop_longest_ns, loop_longest_minute_ns; /* turns of its loop (loop/turn_clock.h) */
    uint64_t stacks_in_other;   /* that found no room in the windows' profiles */
    uint64_t slow_requests_cut; /* that were not followed to their end (askers/watch.h) */
    struct cprof_status_overhead overhead;

    uint64_t profiles_written, profiles_failed; /* by all gateways of this segment */
    int64_t figures[CPROF_FIGURE_COUNT];        /* named in segment/figures.h */
    struct cprof_sink_counts files;             /* of output-dir */
    unsigned files_waiting;                     /* for its disk */
    bool uploads;                               /* there is an uploader; what follows is its own */
    struct cprof_sink_counts upload;
    const char *upload_trouble; /* in plain words; "": none */
};

/* Everything is borrowed until the end. NULL without memory. */
struct cprof_status *cprof_status_create(const struct cprof_segment *segment,
                                         const struct cprof_windows *windows,
                                         struct cprof_error *error) CPROF_MUST_USE;
/* NULL is fine. */
void cprof_status_destroy(struct cprof_status *status);

/* A window has ended: before its logs are given back. */
void cprof_status_window_ended(struct cprof_status *status,
                               const struct cprof_window_result *result);

/* What output-dir's sink counts, and the thread that writes for it; borrowed. */
void cprof_status_set_files(struct cprof_status *status, const struct cprof_sink_counts *files,
                            const struct cprof_side_thread *thread);

/* The loop's; borrowed. Without it no turn was ever long. */
void cprof_status_set_clock(struct cprof_status *status, const struct cprof_turn_clock *clock);

/* How many slow requests were not followed to their end; borrowed. */
void cprof_status_set_slow_requests_cut(struct cprof_status *status, const uint64_t *cut);

/* What is shown of it from now on; before the first report. */
void cprof_status_set_overhead(struct cprof_status *status,
                               const struct cprof_status_overhead *overhead);

/* The uploader, and what its sink counts; borrowed. NULL: there is none. */
void cprof_status_set_uploader(struct cprof_status *status, const struct cprof_uploader *uploader,
                               const struct cprof_sink_counts *counts);

/* The present state. */
const struct cprof_status_report *cprof_status_read(struct cprof_status *status);

#endif
