/* harvest.c - see harvest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harvest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/segment/ledger.h"
#include "../../shared/segment/window.h"
#include "../profile/log_reader.h"
#include "../profile/merge.h"

static bool window_is_sound(const struct cprof_window *window, uint32_t epoch)
{
    uint64_t now_ns = cprof_now_ns();

    return window->epoch == epoch && (window->kinds & CPROF_KINDS_ALL) &&
           window->period_ns >= CPROF_PERIOD_NS_MIN && window->period_ns <= CPROF_PERIOD_NS_MAX &&
           window->start_ns <= now_ns && window->end_ns > window->start_ns &&
           window->end_ns - window->start_ns <= CPROF_WINDOW_NS_MAX &&
           window->start_unix_ns <= cprof_now_unix_ns() + CPROF_WINDOW_NS_MAX;
}

uint32_t cprof_harvest_find_windows(const struct cprof_segment *segment,
                                    struct cprof_window windows[CPROF_WINDOWS_MAX])
{
    struct cprof_control *control = cprof_segment_control(segment);
    uint32_t mask = atomic_load(&control->window_mask);
    uint32_t epoch = atomic_load(&control->epoch);
    bool first_found = false, is_first;

    for (int index = 0; index < (int)CPROF_WINDOWS_MAX; index++) {
        if (!(mask & (1u << index))) {
            continue;
        }
        memcpy(&windows[index], &control->windows[index], sizeof(windows[index]));
        is_first = !(windows[index].flags & CPROF_WINDOW_HAS_BASE);
        /* A second one that was the first of its epoch is nobody's. */
        if (!window_is_sound(&windows[index], epoch) || (is_first && first_found)) {
            cprof_window_close(control, index);
            mask &= ~(1u << index);
        } else {
            first_found = first_found || is_first;
        }
    }
    return mask & ((1u << CPROF_WINDOWS_MAX) - 1);
}

/* The profiles of a window while they are made. */
struct making {
    struct cprof_merge merges[CPROF_PROFILE_KINDS];
    struct cprof_request_list *requests; /* of the present slot, NULL: nobody asks */
};

static bool merge_slot(struct making *making, unsigned count, const struct cprof_log_view *view,
                       struct cprof_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        if (!cprof_merge_slot(&making->merges[i], view, error)) {
            return false;
        }
    }
    return true;
}

/* The window's part of one slot. Its clocks are complete if the process has settled them behind
 * the end, even if it samples on for other windows. */
static bool read_slot(struct cprof_log_view *view, const struct cprof_segment *segment,
                      uint32_t slot_index, const struct cprof_window *window,
                      const struct cprof_snapshot *base, struct cprof_error *error)
{
    if (!cprof_log_read(view, segment, slot_index, window->epoch, error)) {
        return false;
    }
    view->closed = view->closed || view->settled_ns >= window->end_ns;
    cprof_snapshot_subtract(base, view);
    return true;
}

static bool merge_one(struct making *making, unsigned count, const struct cprof_segment *segment,
                      struct cprof_log_view *view, struct cprof_error *error)
{
    if (making->requests) {
        cprof_requests_read(making->requests, segment, view->slot_index);
        view->requests = making->requests;
    }
    return merge_slot(making, count, view, error);
}

static void weigh_slot(struct cprof_harvest *harvest, const struct cprof_log_view *view)
{
    struct cprof_ledger ledger;
    double percent;

    cprof_ledger_read(&ledger, view->counters);
    percent = cprof_ledger_percent(&ledger, cprof_ledger_sum_ns(&ledger));
    harvest->samples =
        cprof_saturating_add(harvest->samples, view->counters[CPROF_COUNTER_SAMPLES]);
    harvest->memory_refused =
        harvest->memory_refused || view->counters[CPROF_COUNTER_MEMORY_REFUSED] > 0;
    if (percent > harvest->worst_percent) {
        harvest->worst_percent = percent;
        harvest->worst_samples_percent =
            cprof_ledger_percent(&ledger, ledger.cost_ns[CPROF_COST_SAMPLES]);
        harvest->worst_kind = view->kind;
        harvest->worst_number = view->number;
    }
}

static bool merge_slots(struct making *making, struct cprof_harvest *harvest,
                        const struct cprof_segment *segment, const struct cprof_window *window,
                        const struct cprof_snapshot *base, struct cprof_error *error)
{
    struct cprof_log_view view;
    bool ok = true;

    for (uint32_t i = 0; ok && i < segment->slot_count; i++) {
        ok = read_slot(&view, segment, i, window, base, error) &&
             merge_one(making, harvest->count, segment, &view, error);
        if (ok) {
            weigh_slot(harvest, &view);
        }
        cprof_log_view_reset(&view);
    }
    return ok;
}

static void choose_kinds(struct cprof_harvest *harvest, uint32_t kinds)
{
    *harvest = (struct cprof_harvest){.worst_percent = CPROF_OVERHEAD_UNKNOWN};
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        if (kinds & (uint32_t)cprof_profile_kinds[i]) {
            struct cprof_profile *profile = &harvest->profiles[harvest->count++];

            cprof_profile_init(profile);
            profile->table.kind = cprof_profile_kinds[i];
        }
    }
}

bool cprof_harvest_make(struct cprof_harvest *harvest, const struct cprof_segment *segment,
                        const struct cprof_config *config, const struct cprof_window *window,
                        const struct cprof_snapshot *base, struct cprof_symbols *symbols,
                        struct cprof_error *error)
{
    struct making making;
    bool ok;

    making.requests = window->flags & (uint32_t)CPROF_WINDOW_REQUESTS
                          ? calloc(1, sizeof(*making.requests))
                          : NULL;
    choose_kinds(harvest, window->kinds);
    if (symbols) {
        cprof_symbols_begin(symbols);
    }
    for (unsigned i = 0; i < harvest->count; i++) {
        struct cprof_table *table = &harvest->profiles[i].table;

        cprof_merge_begin(&making.merges[i], table, config, window, table->kind);
        cprof_merge_use_symbols(&making.merges[i], symbols);
    }
    ok = merge_slots(&making, harvest, segment, window, base, error);
    for (unsigned i = 0; i < harvest->count; i++) {
        ok = ok && cprof_merge_end(&making.merges[i], error);
    }
    free(making.requests);
    return ok;
}

void cprof_harvest_reset(struct cprof_harvest *harvest)
{
    for (unsigned i = 0; i < harvest->count; i++) {
        cprof_profile_reset(&harvest->profiles[i]);
    }
    *harvest = (struct cprof_harvest){0};
}
