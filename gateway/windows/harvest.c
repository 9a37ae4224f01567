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
#include "memory_share.h"

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
        /* Parts that go on begin together; of others one alone can be the first of its epoch. */
        is_first = !(windows[index].flags & (CPROF_WINDOW_HAS_BASE | CPROF_WINDOW_LATER_PART));
        if (!window_is_sound(&windows[index], epoch) || (is_first && first_found)) {
            cprof_window_close(control, index);
            mask &= ~(1u << index);
        } else {
            first_found = first_found || is_first;
        }
    }
    return mask & ((1u << CPROF_WINDOWS_MAX) - 1);
}

/* Smaller profiles are packed in no time, if anybody wants their bytes at all. Of a watch's window
 * nobody does. */
#define PACK_AHEAD_BYTES ((size_t)256 << 10)

struct cprof_making {
    struct cprof_harvest harvest;
    struct cprof_harvest_source source;
    struct cprof_window window;
    struct cprof_merge merges[CPROF_PROFILE_KINDS];
    struct cprof_request_list *requests; /* of the present slot, NULL: nobody asks */
    uint32_t next_slot;
    struct cprof_log_view view; /* of the present slot */
    bool has_view;
    unsigned next_merge;   /* of that view */
    bool is_complete;      /* the profiles follow */
    unsigned next_profile; /* to be ended and packed */
    bool is_packing;
};

/* The window's part of one slot. Its clocks are complete if the process has settled them behind
 * the end, even if it samples on for other windows. */
static bool read_slot(const struct cprof_making *making, struct cprof_log_view *view,
                      uint32_t slot_index, struct cprof_error *error)
{
    const struct cprof_harvest_source *source = &making->source;

    if (!cprof_log_read_part(view, source->segment, slot_index, making->window.epoch,
                             cprof_memory_log_bytes(source->config), error)) {
        return false;
    }
    if (source->end) {
        cprof_snapshot_cut(source->end, view);
    }
    view->closed = view->closed || view->settled_ns >= making->window.end_ns;
    cprof_snapshot_subtract(source->base, view);
    return true;
}

/* Those of a slot whose process has sampled in the window: what others have left behind may be of
 * any age. */
static void note_running(struct cprof_making *making, const struct cprof_log_view *view)
{
    const struct cprof_slot *slot = cprof_segment_slot(making->source.segment, view->slot_index);
    const struct cprof_window *window = &making->window;
    uint64_t end_ns = window->start_unix_ns + (window->end_ns - window->start_ns);

    if (view->kind == CPROF_SLOT_WORKER && atomic_load(&slot->joined_epoch) == window->epoch) {
        cprof_running_add(&making->harvest.running, making->requests, view->number,
                          atomic_load(&slot->incarnation), end_ns / NS_PER_US);
    }
}

static void note_full_log(struct cprof_harvest *harvest, const struct cprof_slot_sum *slot)
{
    uint64_t full_ns = cprof_saturating_add(slot->counters[CPROF_COUNTER_LOG_FULL_NS],
                                            slot->counters[CPROF_COUNTER_OFF_CPU_LOG_FULL_NS]);

    if (full_ns > harvest->log_full_ns) {
        harvest->log_full_ns = full_ns;
        harvest->log_full_kind = slot->kind;
        harvest->log_full_number = slot->number;
    }
}

static void weigh_slot(struct cprof_harvest *harvest, const struct cprof_slot_sum *slot,
                       uint32_t ceiling_hundredths)
{
    struct cprof_ledger ledger;
    double firm_percent;

    cprof_ledger_read(&ledger, slot->counters);
    firm_percent = cprof_ledger_percent(&ledger, cprof_ledger_firm_ns(&ledger, ceiling_hundredths));
    harvest->samples =
        cprof_saturating_add(harvest->samples, slot->counters[CPROF_COUNTER_SAMPLES]);
    harvest->memory_refused =
        harvest->memory_refused || slot->counters[CPROF_COUNTER_MEMORY_REFUSED] > 0;
    note_full_log(harvest, slot);
    if (firm_percent > harvest->worst_firm_percent) {
        harvest->worst_firm_percent = firm_percent;
        harvest->worst_percent = cprof_ledger_percent(&ledger, cprof_ledger_sum_ns(&ledger));
        harvest->worst_samples_percent =
            cprof_ledger_percent(&ledger, ledger.cost_ns[CPROF_COST_SAMPLES]);
        harvest->worst_kind = slot->kind;
        harvest->worst_number = slot->number;
    }
}

/* All profiles have the same counters. */
static void weigh_slots(struct cprof_making *making)
{
    const struct cprof_slot_sums *sums = cprof_merge_sums(&making->merges[0]);

    making->harvest.duration_ns = making->harvest.profiles[0].table.duration_ns;
    for (size_t i = 0; i < sums->count; i++) {
        weigh_slot(&making->harvest, &sums->slots[i],
                   making->source.config->max_overhead_hundredths);
    }
}

/* What is copied of all logs of the epoch together. */
static uint64_t log_bytes(const struct cprof_segment *segment, uint32_t epoch, uint64_t part_bytes)
{
    uint64_t bytes_max = part_bytes < segment->log_bytes ? part_bytes : segment->log_bytes;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < segment->slot_count; i++) {
        uint64_t claim = atomic_load(&cprof_segment_slot(segment, i)->claim);
        uint64_t used = (claim & UINT32_MAX) * CPROF_CHUNK_BYTES;

        if (claim >> 32 == epoch) {
            bytes += used < bytes_max ? used : bytes_max;
        }
    }
    return bytes;
}

static void choose_kinds(struct cprof_harvest *harvest, uint32_t kinds)
{
    *harvest = (struct cprof_harvest){.worst_firm_percent = CPROF_OVERHEAD_UNKNOWN,
                                      .worst_percent = CPROF_OVERHEAD_UNKNOWN};
    for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
        if (kinds & (uint32_t)cprof_profile_kinds[i]) {
            struct cprof_profile *profile = &harvest->profiles[harvest->count++];

            cprof_profile_init(profile);
            profile->table.kind = cprof_profile_kinds[i];
        }
    }
}

static void bound_merges(struct cprof_making *making)
{
    const struct cprof_harvest_source *source = &making->source;
    uint64_t bytes =
        log_bytes(source->segment, making->window.epoch, cprof_memory_log_bytes(source->config));

    for (unsigned i = 0; i < making->harvest.count && source->config->gateway_memory_mib > 0; i++) {
        cprof_merge_bound(&making->merges[i], source->table_bytes, bytes);
    }
}

/* Borrows what is to be read next. */
static void take_source(struct cprof_making *making, const struct cprof_harvest_source *source)
{
    making->source = *source;
    making->window = *source->window;
    making->source.window = &making->window;
    making->next_slot = 0;
    if (source->symbols) {
        cprof_symbols_begin(source->symbols);
    }
}

static void begin_merges(struct cprof_making *making)
{
    for (unsigned i = 0; i < making->harvest.count; i++) {
        struct cprof_table *table = &making->harvest.profiles[i].table;

        cprof_merge_begin(&making->merges[i], table, making->source.config, &making->window,
                          table->kind);
        cprof_merge_use_symbols(&making->merges[i], making->source.symbols);
    }
}

struct cprof_making *cprof_making_begin(const struct cprof_harvest_source *source,
                                        struct cprof_error *error)
{
    struct cprof_making *making = calloc(1, sizeof(*making));

    if (!making) {
        cprof_fail(error, "no memory to make profiles");
        return NULL;
    }
    take_source(making, source);
    making->requests = source->window->flags & (uint32_t)CPROF_WINDOW_REQUESTS
                           ? calloc(1, sizeof(*making->requests))
                           : NULL;
    choose_kinds(&making->harvest, source->window->kinds);
    begin_merges(making);
    bound_merges(making);
    return making;
}

void cprof_making_next_part(struct cprof_making *making, const struct cprof_harvest_source *source)
{
    take_source(making, source);
    cprof_running_reset(&making->harvest.running);
    for (unsigned i = 0; i < making->harvest.count; i++) {
        cprof_merge_next_part(&making->merges[i], &making->window);
    }
    bound_merges(making);
}

void cprof_making_complete(struct cprof_making *making)
{
    making->is_complete = true;
}

size_t cprof_making_table_bytes(const struct cprof_making *making)
{
    size_t largest = 0;

    for (unsigned i = 0; i < making->harvest.count; i++) {
        const struct cprof_table *table = &making->harvest.profiles[i].table;
        size_t bytes = table->name_bytes + table->sample_bytes;

        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

static void drop_view(struct cprof_making *making)
{
    if (making->has_view) {
        cprof_log_view_reset(&making->view);
    }
    making->has_view = false;
}

static bool begin_slot(struct cprof_making *making, struct cprof_error *error)
{
    making->has_view = true;
    making->next_merge = 0;
    if (!read_slot(making, &making->view, making->next_slot++, error)) {
        return false;
    }
    if (making->requests) {
        cprof_requests_read(making->requests, making->source.segment, making->view.slot_index);
        making->view.requests = making->requests;
        note_running(making, &making->view);
    }
    return true;
}

/* Reads the next slot's log, or merges what was read into one profile more. */
static enum cprof_step take_slot(struct cprof_making *making, struct cprof_error *error)
{
    bool ok;

    if (!making->has_view) {
        ok = begin_slot(making, error);
    } else if (making->next_merge < making->harvest.count) {
        ok = cprof_merge_slot(&making->merges[making->next_merge++], &making->view, error);
    } else {
        drop_view(making);
        ok = true;
    }
    return ok ? CPROF_STEP_MORE : CPROF_STEP_FAILED;
}

/* Ends the next profile's merge, or goes on to pack it. */
static enum cprof_step take_profile(struct cprof_making *making, struct cprof_error *error)
{
    struct cprof_merge *merge = &making->merges[making->next_profile];
    struct cprof_profile *profile = &making->harvest.profiles[making->next_profile];

    if (!making->is_packing) {
        if (merge->others.stacks > making->harvest.others) {
            making->harvest.others = merge->others.stacks;
        }
        if (!cprof_merge_end(merge, error)) {
            return CPROF_STEP_FAILED;
        }
        making->is_packing =
            making->window.source != CPROF_SOURCE_WATCH &&
            profile->table.name_bytes + profile->table.sample_bytes > PACK_AHEAD_BYTES;
    } else {
        making->is_packing = cprof_profile_pack_step(profile);
    }
    if (!making->is_packing) {
        making->next_profile++;
    }
    return CPROF_STEP_MORE;
}

enum cprof_step cprof_making_step(struct cprof_making *making, struct cprof_error *error)
{
    if (making->has_view || making->next_slot < making->source.segment->slot_count) {
        return take_slot(making, error);
    }
    if (!making->is_complete || making->next_profile == making->harvest.count) {
        return CPROF_STEP_DONE;
    }
    if (making->next_profile == 0 && !making->is_packing) {
        weigh_slots(making);
    }
    return take_profile(making, error);
}

struct cprof_harvest *cprof_making_harvest(struct cprof_making *making)
{
    return &making->harvest;
}

void cprof_making_end(struct cprof_making *making)
{
    if (making) {
        drop_view(making);
        for (unsigned i = 0; i < CPROF_PROFILE_KINDS; i++) {
            cprof_merge_reset(&making->merges[i]);
        }
        cprof_harvest_reset(&making->harvest);
        if (making->requests) {
            cprof_requests_reset(making->requests);
        }
        free(making->requests);
        free(making);
    }
}

bool cprof_harvest_make(struct cprof_harvest *harvest, const struct cprof_segment *segment,
                        const struct cprof_config *config, const struct cprof_window *window,
                        const struct cprof_snapshot *base, struct cprof_symbols *symbols,
                        struct cprof_error *error)
{
    const struct cprof_harvest_source source = {.segment = segment,
                                                .config = config,
                                                .window = window,
                                                .base = base,
                                                .symbols = symbols,
                                                .table_bytes = cprof_memory_table_bytes(config)};
    struct cprof_making *making = cprof_making_begin(&source, error);
    enum cprof_step step = CPROF_STEP_MORE;

    if (!making) {
        choose_kinds(harvest, window->kinds);
        return false;
    }
    cprof_making_complete(making);
    while (step == CPROF_STEP_MORE) {
        step = cprof_making_step(making, error);
    }
    *harvest = making->harvest;
    making->harvest = (struct cprof_harvest){.count = 0};
    cprof_making_end(making);
    return step == CPROF_STEP_DONE;
}

void cprof_harvest_reset(struct cprof_harvest *harvest)
{
    for (unsigned i = 0; i < harvest->count; i++) {
        cprof_profile_reset(&harvest->profiles[i]);
    }
    cprof_running_reset(&harvest->running);
    *harvest = (struct cprof_harvest){0};
}
