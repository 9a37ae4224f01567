/* figures.c - see figures.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "figures.h"

#include <stdatomic.h>

#include "../../shared/segment/window.h"

#define NS_PER_S INT64_C(1000000000)
#define PER_CENT 100u

static void add_slots(const struct cprof_segment *segment, int64_t figures[CPROF_FIGURE_COUNT])
{
    uint32_t epoch = atomic_load(&cprof_segment_control(segment)->epoch);

    for (uint32_t i = 0; i < segment->slot_count; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(segment, i);
        uint64_t claim = atomic_load(&slot->claim);
        uint64_t used = claim >> 32 == epoch ? (claim & UINT32_MAX) * CPROF_CHUNK_BYTES : 0;
        int64_t fill =
            (int64_t)(used < segment->log_bytes ? used * PER_CENT / segment->log_bytes : PER_CENT);

        figures[CPROF_FIGURE_SAMPLES] += (int64_t)(atomic_load(&slot->counters.samples) +
                                                   atomic_load(&slot->counters.off_cpu_looks));
        figures[CPROF_FIGURE_TAG_OVERFLOWS] += (int64_t)atomic_load(&slot->counters.tag_overflows);
        figures[CPROF_FIGURE_TAGS_LOST] += (int64_t)atomic_load(&slot->counters.tags_lost);
        for (unsigned miss = 0; miss < CPROF_MISS_COUNT; miss++) {
            figures[CPROF_FIGURE_MISSES + miss] +=
                (int64_t)atomic_load(&slot->counters.missed[miss]);
        }
        if (fill > figures[CPROF_FIGURE_LOG_FILL]) {
            figures[CPROF_FIGURE_LOG_FILL] = fill;
        }
    }
}

static int64_t seconds_since(uint64_t unix_ns)
{
    int64_t since_ns = (int64_t)(cprof_now_unix_ns() - unix_ns);

    return unix_ns == 0 ? -1 : since_ns > 0 ? since_ns / NS_PER_S : 0;
}

void cprof_figures_publish(const struct cprof_segment *segment,
                           const struct cprof_sink_counts *uploads)
{
    struct cprof_control *control = cprof_segment_control(segment);
    int64_t figures[CPROF_FIGURE_COUNT] = {
        [CPROF_FIGURE_SAMPLES] = (int64_t)atomic_load(&control->past_samples),
        [CPROF_FIGURE_WINDOWS] = (int64_t)atomic_load(&control->next_window_id) - 1,
        [CPROF_FIGURE_PROFILES_WRITTEN] = (int64_t)atomic_load(&control->profiles_written),
        [CPROF_FIGURE_PROFILES_UPLOADED] = (int64_t)uploads->delivered,
        [CPROF_FIGURE_PROFILES_FAILED] = (int64_t)atomic_load(&control->profiles_failed),
        [CPROF_FIGURE_BYTES_UPLOADED] = (int64_t)uploads->bytes,
        [CPROF_FIGURE_TAG_OVERFLOWS] = (int64_t)atomic_load(&control->past_tag_overflows),
        [CPROF_FIGURE_TAGS_LOST] = (int64_t)atomic_load(&control->past_tags_lost),
        [CPROF_FIGURE_SECONDS_SINCE_UPLOAD] = seconds_since(uploads->last_unix_ns),
    };

    for (unsigned miss = 0; miss < CPROF_MISS_COUNT; miss++) {
        figures[CPROF_FIGURE_MISSES + miss] = (int64_t)atomic_load(&control->past_missed[miss]);
    }
    add_slots(segment, figures);
    for (unsigned i = 0; i < CPROF_FIGURE_COUNT; i++) {
        atomic_store(&control->figures[i], figures[i]);
    }
}
