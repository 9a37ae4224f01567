/* figures.c - see figures.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "figures.h"

#include <stdatomic.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

#define PER_CENT 100u

/* Of one slot, or those of all slots whose logs were given back. */
static void add_counters(const _Atomic uint64_t *counters, uint64_t figures[CPROF_FIGURE_COUNT])
{
    for (unsigned i = 0; i < CPROF_COUNTER_COUNT; i++) {
        figures[CPROF_FIGURE_COUNTERS + i] += atomic_load(&counters[i]);
    }
}

static void add_slots(const struct cprof_segment *segment, uint64_t figures[CPROF_FIGURE_COUNT])
{
    uint32_t epoch = atomic_load(&cprof_segment_control(segment)->epoch);

    for (uint32_t i = 0; i < segment->slot_count; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(segment, i);
        uint64_t claim = atomic_load(&slot->claim);
        uint64_t used = claim >> 32 == epoch ? (claim & UINT32_MAX) * CPROF_CHUNK_BYTES : 0;
        uint64_t fill = used < segment->log_bytes ? used * PER_CENT / segment->log_bytes : PER_CENT;

        add_counters(slot->counters, figures);
        if (fill > figures[CPROF_FIGURE_LOG_FILL]) {
            figures[CPROF_FIGURE_LOG_FILL] = fill;
        }
    }
}

static int64_t seconds_since(uint64_t unix_ns)
{
    int64_t since_ns = (int64_t)(cprof_now_unix_ns() - unix_ns);

    return unix_ns == 0 ? -1 : since_ns > 0 ? since_ns / (int64_t)NS_PER_S : 0;
}

void cprof_figures_publish(const struct cprof_segment *segment,
                           const struct cprof_sink_counts *uploads)
{
    struct cprof_control *control = cprof_segment_control(segment);
    /* Without a sign, as sums of what hostile workers count may go round. */
    uint64_t figures[CPROF_FIGURE_COUNT] = {
        [CPROF_FIGURE_WINDOWS] = atomic_load(&control->next_window_id) - UINT64_C(1),
        [CPROF_FIGURE_PROFILES_WRITTEN] = atomic_load(&control->profiles_written),
        [CPROF_FIGURE_PROFILES_UPLOADED] = uploads->delivered,
        [CPROF_FIGURE_PROFILES_FAILED] = atomic_load(&control->profiles_failed),
        [CPROF_FIGURE_BYTES_UPLOADED] = uploads->bytes,
        [CPROF_FIGURE_SECONDS_SINCE_UPLOAD] = (uint64_t)seconds_since(uploads->last_unix_ns),
    };

    add_counters(control->past_counters, figures);
    add_slots(segment, figures);
    figures[CPROF_FIGURE_SAMPLES] = figures[CPROF_FIGURE_COUNTERS + CPROF_COUNTER_SAMPLES] +
                                    figures[CPROF_FIGURE_COUNTERS + CPROF_COUNTER_OFF_CPU_LOOKS];
    for (unsigned i = 0; i < CPROF_FIGURE_COUNT; i++) {
        atomic_store(&control->figures[i], (int64_t)figures[i]);
    }
}
