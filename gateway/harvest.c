/* harvest.c - see harvest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harvest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../plugin/share/window.h"
#include "profile/log_reader.h"
#include "profile/merge.h"
#include "profile/pprof.h"
#include "profile/table.h"

static bool window_is_sound(const struct cprof_window *window, uint32_t epoch)
{
    uint64_t now_ns = cprof_now_ns();

    return window->epoch == epoch && (window->kinds & CPROF_KINDS_ALL) &&
           window->period_ns >= CPROF_PERIOD_NS_MIN && window->period_ns <= CPROF_PERIOD_NS_MAX &&
           window->start_ns <= now_ns && window->end_ns > window->start_ns &&
           window->end_ns - window->start_ns <= CPROF_WINDOW_NS_MAX &&
           window->start_unix_ns <= cprof_now_unix_ns() + CPROF_WINDOW_NS_MAX;
}

int cprof_harvest_find_window(const struct cprof_segment *segment, struct cprof_window *window)
{
    struct cprof_control *control = cprof_segment_control(segment);
    uint32_t mask = atomic_load(&control->window_mask);
    uint32_t epoch = atomic_load(&control->epoch);
    int found = -1;

    for (int index = 0; index < (int)CPROF_WINDOWS_MAX; index++) {
        struct cprof_window copy;

        if (!(mask & (1u << index))) {
            continue;
        }
        memcpy(&copy, &control->windows[index], sizeof(copy));
        /* This version opens one window at a time; a second one is nobody's. */
        if (found >= 0 || !window_is_sound(&copy, epoch)) {
            cprof_window_close(control, index);
            continue;
        }
        *window = copy;
        found = index;
    }
    return found;
}

/* The profiles of a window while they are made. */
struct making {
    struct cprof_merge merges[CPROF_PROFILE_KINDS];
    struct cprof_table tables[CPROF_PROFILE_KINDS];
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

static bool merge_slots(struct making *making, unsigned count, const struct cprof_segment *segment,
                        uint32_t epoch, struct cprof_error *error)
{
    struct cprof_log_view view;
    bool ok = true;

    for (uint32_t i = 0; ok && i < segment->slot_count; i++) {
        ok = cprof_log_read(&view, segment, i, epoch, error) &&
             merge_slot(making, count, &view, error);
        cprof_log_view_reset(&view);
    }
    return ok;
}

static void choose_kinds(struct cprof_harvest *harvest, uint32_t kinds)
{
    *harvest = (struct cprof_harvest){0};
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        if (kinds & (uint32_t)cprof_profile_kinds[i]) {
            harvest->profiles[harvest->count++].kind = cprof_profile_kinds[i];
        }
    }
}

bool cprof_harvest_make(struct cprof_harvest *harvest, const struct cprof_segment *segment,
                        const struct cprof_config *config, const struct cprof_window *window,
                        struct cprof_error *error)
{
    struct making making;
    bool ok;

    choose_kinds(harvest, window->kinds);
    for (unsigned i = 0; i < harvest->count; i++) {
        cprof_table_init(&making.tables[i]);
        cprof_merge_begin(&making.merges[i], &making.tables[i], config, window,
                          harvest->profiles[i].kind);
    }
    ok = merge_slots(&making, harvest->count, segment, window->epoch, error);
    for (unsigned i = 0; i < harvest->count; i++) {
        struct cprof_harvested *profile = &harvest->profiles[i];

        ok = ok && cprof_merge_end(&making.merges[i], error) &&
             cprof_pprof_write(&profile->bytes, &profile->byte_count, &making.tables[i], error);
        cprof_table_reset(&making.tables[i]);
    }
    return ok;
}

void cprof_harvest_reset(struct cprof_harvest *harvest)
{
    for (unsigned i = 0; i < harvest->count; i++) {
        free(harvest->profiles[i].bytes);
    }
    *harvest = (struct cprof_harvest){0};
}
