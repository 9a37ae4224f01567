/* harvest.c - see harvest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harvest.h"

#include <stdatomic.h>
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

static bool merge_slots(struct cprof_merge *merge, const struct cprof_segment *segment,
                        uint32_t epoch, struct cprof_error *error)
{
    struct cprof_log_view view;
    bool ok = true;

    for (uint32_t i = 0; ok && i < segment->slot_count; i++) {
        ok = cprof_log_read(&view, segment, i, epoch, error) &&
             cprof_merge_slot(merge, &view, error);
        cprof_log_view_reset(&view);
    }
    return ok && cprof_merge_end(merge, error);
}

bool cprof_harvest_profile(uint8_t **bytes, size_t *byte_count, const struct cprof_segment *segment,
                           const struct cprof_config *config, const struct cprof_window *window,
                           struct cprof_error *error)
{
    struct cprof_merge merge;
    struct cprof_table table;
    bool ok;

    cprof_table_init(&table);
    cprof_merge_begin(&merge, &table, config, window);
    ok = merge_slots(&merge, segment, window->epoch, error) &&
         cprof_pprof_write(bytes, byte_count, &table, error);
    cprof_table_reset(&table);
    return ok;
}
