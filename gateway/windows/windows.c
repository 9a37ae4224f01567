/* windows.c - see windows.h.
 *
 * The life of a window, and what a kill of the gateway at each point leaves behind:
 *
 *     wait        nothing.
 *     open        ticket and descriptor, then the bit. Killed before the bit: there is no window.
 *     sample      killed: the bit stands; the next gateway waits for the end and goes on, unless
 *                 the window has a base, which died: it is lost.
 *     read        the logs are read, slot by slot, in turns of the loop; nothing is changed.
 *                 Killed: the next one reads them again. Where other windows sample on, a look at
 *                 all logs comes first, so that each slot's part ends with the window.
 *     deliver     the orderer's. Killed behind that, before the bit is cleared: the next gateway
 *                 makes the same profiles and says that they may be delivered already.
 *     release     the bit is cleared. Killed: nothing is made of the window again.
 *     new epoch   once no window stands the logs are given back; the next gateway does that first
 *                 in any case.
 *
 * SPDX-License-Identifier: MIT
 */
#include "windows.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/pages.h"
#include "../../shared/segment/window.h"
#include "left_windows.h"
#include "memory_share.h"
#include "slots.h"

/* Slots settle and close within milliseconds; a stopped process never does. A window that begins
 * beside others misses the samples that are taken until its first look. */
#define SETTLE_LOOK_NS (2 * NS_PER_MS)
#define SETTLE_WAIT_NS (200 * NS_PER_MS)
#define CLOSE_LOOK_NS  (10 * NS_PER_MS)
#define CLOSE_WAIT_NS  NS_PER_S

/* The loop waits for so long, and for one step of the making, at most. */
#define TURN_NS (5 * NS_PER_MS)

/* Windows that overlap without end would never let the logs be given back. */
#define EPOCH_NS_MAX  (600 * NS_PER_S)
#define STALE_LOOK_NS (100 * NS_PER_MS)

#define SOURCES_MAX (CPROF_SOURCE_WATCH + 1)

enum stage {
    STAGE_FREE,
    STAGE_WAITING,  /* ordered, and not open yet */
    STAGE_SETTLING, /* open beside others: slots bring their clocks up to date for the base */
    STAGE_OPEN,
    STAGE_CLOSING,  /* it has ended; slots close or settle their logs */
    STAGE_READING,  /* its profiles are made; one window at a time */
    STAGE_FINISHED, /* handed over, and not released yet */
};

/* The handle of an entry is its index and that of its descriptor. */
struct entry {
    enum stage stage;
    struct cprof_window_order order; /* but for its ticket */
    char *ticket;                    /* owned */
    size_t ticket_bytes;
    struct cprof_window window;
    struct cprof_snapshot base;
    struct cprof_snapshot end;   /* where others sample on */
    struct cprof_making *making; /* NULL: it is not read now */
    bool stands;                 /* its bit is set */
    bool adopted;
    bool hurried;         /* a window of a shorter period was open beside it */
    uint64_t look_ns;     /* when it is to be looked at again */
    uint64_t deadline_ns; /* of settling or closing */
};

struct cprof_windows {
    const struct cprof_config *config;
    const struct cprof_segment *segment;
    struct cprof_control *control;
    struct cprof_loop *loop;
    struct cprof_symbols *symbols; /* NULL: no memory for them */
    struct cprof_loop_timer timer;
    struct entry entries[CPROF_WINDOWS_MAX];
    struct cprof_left_windows left; /* of before a reload: their handles follow */
    struct cprof_adopter adopters[SOURCES_MAX];
    struct cprof_adopter observer; /* its function may be NULL */
    bool begun;
    bool fresh; /* no window was opened in this epoch */
    uint64_t epoch_began_ns;
    uint64_t drained_by_ns;   /* until then slots may be closing a window that was taken back */
    uint64_t recycle_look_ns; /* when to try again to give the logs back */
    uint32_t recycle_slot;    /* the next one whose log is given back */
};

static uint32_t epoch_of(const struct cprof_windows *windows)
{
    return atomic_load(&windows->control->epoch);
}

static uint32_t standing_mask(const struct cprof_windows *windows)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        mask |= windows->entries[i].stands ? 1u << i : 0;
    }
    return mask;
}

static void wake(struct cprof_windows *windows)
{
    windows->timer.due_ns = 0;
}

static void take_back(struct cprof_windows *windows, struct entry *entry)
{
    if (entry->stands) {
        cprof_window_close(windows->control, (int)(entry - windows->entries));
        entry->stands = false;
    }
}

/* What was noted of the logs, and what was made of them. */
static void drop_logs(struct entry *entry)
{
    cprof_making_end(entry->making);
    entry->making = NULL;
    cprof_snapshot_reset(&entry->base);
    cprof_snapshot_reset(&entry->end);
}

static void free_entry(struct cprof_windows *windows, struct entry *entry)
{
    take_back(windows, entry);
    drop_logs(entry);
    free(entry->ticket);
    *entry = (struct entry){.look_ns = CPROF_LOOP_NEVER};
}

/* Gives the logs back once no window needs them. */
static void recycle(struct cprof_windows *windows, uint64_t now_ns)
{
    windows->recycle_look_ns = CPROF_LOOP_NEVER;
    if (windows->fresh || standing_mask(windows)) {
        return;
    }
    if (now_ns < windows->drained_by_ns &&
        !cprof_slots_have_closed(windows->segment, epoch_of(windows))) {
        windows->recycle_look_ns = now_ns + CLOSE_LOOK_NS;
        return;
    }
    if (!cprof_slots_begin_epoch(windows->segment, &windows->recycle_slot,
                                 cprof_now_ns() + TURN_NS)) {
        windows->recycle_look_ns = now_ns;
        wake(windows);
        return;
    }
    windows->epoch_began_ns = now_ns;
    windows->fresh = true;
}

/* Hands the window to who ordered it; `harvest` is NULL if it is lost. The ticket lives as long
 * as the call, whatever the callee does with the handle. */
static void hand_over(struct cprof_windows *windows, struct entry *entry,
                      struct cprof_harvest *harvest)
{
    const struct cprof_window window = entry->window;
    char *ticket = entry->ticket;
    const struct cprof_window_result result = {
        .handle = (int)(entry - windows->entries),
        .window = &window,
        .harvest = harvest,
        .adopted = entry->adopted,
        .steady = !entry->adopted && !entry->hurried,
        .ticket = ticket ? ticket : "",
        .ticket_bytes = entry->ticket_bytes,
    };

    entry->ticket = NULL;
    entry->stage = STAGE_FINISHED;
    entry->look_ns = CPROF_LOOP_NEVER;
    drop_logs(entry);
    if (windows->observer.finished) {
        windows->observer.finished(windows->observer.context, &result);
    }
    entry->order.finished(entry->order.context, &result);
    free(ticket);
}

static void lose(struct cprof_windows *windows, struct entry *entry, const char *why)
{
    cprof_left_count_lost(windows->control, &entry->window, why);
    if (entry->stands) {
        take_back(windows, entry);
        windows->drained_by_ns = cprof_now_ns() + CLOSE_WAIT_NS;
    }
    hand_over(windows, entry, NULL);
}

static void finish(struct cprof_windows *windows, struct entry *entry)
{
    struct cprof_making *making = entry->making;

    entry->making = NULL; /* the callee may give the window back, and order the next one */
    hand_over(windows, entry, cprof_making_harvest(making));
    cprof_making_end(making);
}

static bool is_sampled(const struct entry *entry)
{
    return entry->stage == STAGE_SETTLING || entry->stage == STAGE_OPEN ||
           entry->stage == STAGE_CLOSING;
}

/* One that ended, too, may get samples until the slots know it. */
static bool still_samples(const struct cprof_windows *windows, const struct entry *entry)
{
    return is_sampled(entry) &&
           (cprof_now_ns() < entry->window.end_ns ||
            !cprof_slots_have_settled(windows->segment, epoch_of(windows), entry->window.end_ns));
}

static bool others_sample(const struct cprof_windows *windows, const struct entry *entry)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (&windows->entries[i] != entry && still_samples(windows, &windows->entries[i])) {
            return true;
        }
    }
    return false;
}

static void begin_reading(struct cprof_windows *windows, struct entry *entry)
{
    const struct cprof_harvest_source source = {
        .segment = windows->segment,
        .config = windows->config,
        .window = &entry->window,
        .base = &entry->base,
        .end = entry->end.slot_count > 0 ? &entry->end : NULL,
        .symbols = windows->symbols,
    };
    struct cprof_error error;

    entry->making = cprof_making_begin(&source, &error);
    if (entry->making) {
        entry->stage = STAGE_READING;
        entry->look_ns = 0;
    } else {
        lose(windows, entry, error.text);
    }
}

/* For a while; the loop then answers others. */
static void look_at_reading(struct cprof_windows *windows, struct entry *entry)
{
    uint64_t until_ns = cprof_now_ns() + TURN_NS;
    enum cprof_step step = CPROF_STEP_MORE;
    struct cprof_error error;

    while (step == CPROF_STEP_MORE && cprof_now_ns() < until_ns) {
        step = cprof_making_step(entry->making, &error);
    }
    entry->look_ns = 0;
    if (step == CPROF_STEP_DONE) {
        finish(windows, entry);
    } else if (step == CPROF_STEP_FAILED) {
        lose(windows, entry, error.text);
    }
}

static bool is_stale(const struct cprof_windows *windows, uint64_t now_ns)
{
    return now_ns - windows->epoch_began_ns > EPOCH_NS_MAX ||
           cprof_slots_are_filling(windows->segment, epoch_of(windows));
}

/* Finished windows keep their descriptors for the case of a kill only; that must not hold the
 * others up. */
static void take_back_finished(struct cprof_windows *windows)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == STAGE_FINISHED) {
            take_back(windows, &windows->entries[i]);
        }
    }
}

static bool has_one_at(const struct cprof_windows *windows, enum stage stage)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == stage) {
            return true;
        }
    }
    return false;
}

/* Returns when to ask again, or 0: a window may open now. While one is being closed or read none
 * may: if no other stands, the next one is then the first of a new epoch and needs no base. */
static uint64_t opens_at(struct cprof_windows *windows, uint64_t now_ns)
{
    if (has_one_at(windows, STAGE_CLOSING) || has_one_at(windows, STAGE_READING)) {
        return now_ns + SETTLE_LOOK_NS;
    }
    if (!standing_mask(windows)) {
        recycle(windows, now_ns);
        return windows->fresh ? 0 : now_ns + SETTLE_LOOK_NS;
    }
    if (is_stale(windows, now_ns)) {
        take_back_finished(windows);
        return now_ns + (standing_mask(windows) ? STALE_LOOK_NS : 0);
    }
    return 0;
}

/* What stands in the mask is known here; anything else was scribbled by somebody. */
static void repair_mask(struct cprof_windows *windows)
{
    uint32_t mask = standing_mask(windows);

    if (atomic_exchange(&windows->control->window_mask, mask) != mask) {
        cprof_log(CPROF_LOG_WARNING, "a process wrote to the window mask in shared memory");
    }
}

/* The shortest period of the windows that are open together is used for all. */
static void note_periods(struct cprof_windows *windows, struct entry *opening)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        struct entry *other = &windows->entries[i];

        if (other != opening && is_sampled(other)) {
            other->hurried |= opening->window.period_ns < other->window.period_ns;
            opening->hurried |= other->window.period_ns < opening->window.period_ns;
        }
    }
}

/* Returns its length. Without memory for it the window is as good as any, but of no use to a later
 * gateway. */
static uint32_t leave_ticket(const struct cprof_windows *windows, const struct entry *entry,
                             int index)
{
    char *text = cprof_segment_tickets(windows->segment)->text[index];

    if (entry->ticket_bytes == 0) {
        return 0;
    }
    if (!cprof_pages_take(text, entry->ticket_bytes)) {
        cprof_log(CPROF_LOG_WARNING, "no shared memory to note what a window is for: %s",
                  strerror(errno));
        return 0;
    }
    memcpy(text, entry->ticket, entry->ticket_bytes);
    return (uint32_t)entry->ticket_bytes;
}

static void publish(struct cprof_windows *windows, struct entry *entry)
{
    int index = (int)(entry - windows->entries);

    entry->window.ticket_bytes = leave_ticket(windows, entry, index);
    repair_mask(windows);
    cprof_window_open(windows->control, index, &entry->window);
    entry->stands = true;
    note_periods(windows, entry);
    windows->fresh = false;
    cprof_log(CPROF_LOG_DEBUG, "window %u opens for %.1f s", entry->window.id,
              (double)(entry->window.end_ns - entry->window.start_ns) / 1e9);
}

/* What is left for a snapshot, which notes something of its own already. */
static struct cprof_snapshot_bounds snapshot_bounds(const struct cprof_windows *windows,
                                                    const struct cprof_snapshot *snapshot)
{
    struct cprof_snapshot_bounds bounds = {
        .log_bytes = cprof_memory_log_bytes(windows->config),
        .bytes = cprof_memory_snapshot_bytes(windows->config),
    };
    size_t used = 0;

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        used += windows->entries[i].base.bytes + windows->entries[i].end.bytes;
    }
    used -= snapshot->bytes;
    bounds.bytes = bounds.bytes > used ? bounds.bytes - used : 0;
    return bounds;
}

/* Goes on with it for a turn of the loop: whole, to be looked at again, or lost. */
static enum cprof_step take_snapshot(struct cprof_windows *windows, struct entry *entry,
                                     struct cprof_snapshot *snapshot)
{
    const struct cprof_snapshot_bounds bounds = snapshot_bounds(windows, snapshot);
    uint64_t until_ns = cprof_now_ns() + TURN_NS;
    struct cprof_error error;

    while (!cprof_snapshot_is_whole(snapshot)) {
        if (cprof_now_ns() >= until_ns) {
            entry->look_ns = 0;
            return CPROF_STEP_MORE;
        }
        if (!cprof_snapshot_step(snapshot, windows->segment, epoch_of(windows), &bounds, &error)) {
            lose(windows, entry, error.text);
            return CPROF_STEP_FAILED;
        }
    }
    return CPROF_STEP_DONE;
}

/* It begins now. False: that is too late, and it is lost. */
static bool set_times(struct cprof_windows *windows, struct entry *entry, bool has_base)
{
    const struct cprof_window_order *order = &entry->order;
    uint64_t now_ns = cprof_now_ns();

    entry->window.start_ns = now_ns;
    entry->window.end_ns = order->end_ns ? order->end_ns : now_ns + order->duration_ns;
    entry->window.start_unix_ns = cprof_now_unix_ns();
    entry->window.flags = order->flags | (has_base ? (uint32_t)CPROF_WINDOW_HAS_BASE : 0);
    if (entry->window.end_ns <= now_ns || now_ns > order->latest_start_ns) {
        lose(windows, entry, "it had to wait for others until it was too late");
        return false;
    }
    return true;
}

/* Where no slot writes now, the first look comes before the window: nothing is between them. It may
 * take long, so that the time is looked at before and after it. */
static void open_window(struct cprof_windows *windows, struct entry *entry)
{
    bool has_base = !windows->fresh;
    bool all_still = has_base && cprof_slots_have_closed(windows->segment, epoch_of(windows));

    if (!set_times(windows, entry, has_base)) {
        return;
    }
    if (!all_still) {
        cprof_snapshot_reset(&entry->base); /* somebody else's window opened meanwhile */
    } else if (take_snapshot(windows, entry, &entry->base) != CPROF_STEP_DONE ||
               !set_times(windows, entry, has_base)) {
        return;
    }
    publish(windows, entry);
    entry->stage = has_base && !all_still ? STAGE_SETTLING : STAGE_OPEN;
    entry->deadline_ns = entry->window.start_ns + SETTLE_WAIT_NS;
    entry->look_ns = entry->stage == STAGE_SETTLING ? entry->window.start_ns : entry->window.end_ns;
}

static void look_at_waiting(struct cprof_windows *windows, struct entry *entry, uint64_t now_ns)
{
    entry->look_ns = opens_at(windows, now_ns);
    if (entry->look_ns == 0 || now_ns > entry->order.latest_start_ns) {
        open_window(windows, entry);
    }
}

static void look_at_settling(struct cprof_windows *windows, struct entry *entry, uint64_t now_ns)
{
    if (now_ns < entry->deadline_ns &&
        !cprof_slots_have_settled(windows->segment, epoch_of(windows), entry->window.start_ns)) {
        entry->look_ns = now_ns + SETTLE_LOOK_NS;
        return;
    }
    if (take_snapshot(windows, entry, &entry->base) == CPROF_STEP_DONE) {
        entry->stage = STAGE_OPEN;
        entry->look_ns = entry->window.end_ns;
    }
}

/* Where others sample on, what they add until this second look is in this window, too. */
static bool take_end(struct cprof_windows *windows, struct entry *entry)
{
    return (entry->end.slot_count == 0 && !others_sample(windows, entry)) ||
           take_snapshot(windows, entry, &entry->end) == CPROF_STEP_DONE;
}

static void look_at_closing(struct cprof_windows *windows, struct entry *entry, uint64_t now_ns)
{
    bool is_alone = standing_mask(windows) == 1u << (entry - windows->entries);

    if (now_ns < entry->deadline_ns &&
        !cprof_slots_have_settled(windows->segment, epoch_of(windows), entry->window.end_ns)) {
        entry->look_ns = now_ns + (is_alone ? CLOSE_LOOK_NS : SETTLE_LOOK_NS);
        return;
    }
    if (!take_end(windows, entry)) {
        return;
    }
    if (has_one_at(windows, STAGE_READING) || cprof_left_has_more(&windows->left)) {
        entry->look_ns = now_ns + SETTLE_LOOK_NS;
        return;
    }
    begin_reading(windows, entry);
}

static void look_at(struct cprof_windows *windows, struct entry *entry, uint64_t now_ns)
{
    switch (entry->stage) {
    case STAGE_WAITING:
        look_at_waiting(windows, entry, now_ns);
        break;
    case STAGE_SETTLING:
        look_at_settling(windows, entry, now_ns);
        break;
    case STAGE_OPEN:
        entry->stage = STAGE_CLOSING;
        entry->deadline_ns = now_ns + CLOSE_WAIT_NS;
        look_at_closing(windows, entry, now_ns);
        break;
    case STAGE_CLOSING:
        look_at_closing(windows, entry, now_ns);
        break;
    case STAGE_READING:
        look_at_reading(windows, entry);
        break;
    case STAGE_FREE:
    case STAGE_FINISHED:
        break;
    }
}

/* For a while, as look_at_reading. */
static void look_at_left(struct cprof_windows *windows)
{
    uint64_t until_ns = cprof_now_ns() + TURN_NS;

    while (cprof_left_has_more(&windows->left) && cprof_now_ns() < until_ns) {
        cprof_left_step(&windows->left);
    }
}

/* Looks at what is due. Callbacks may have changed any entry. */
static void work(void *context, uint64_t now_ns)
{
    struct cprof_windows *windows = context;

    if (!windows->begun) {
        return;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].look_ns <= now_ns) {
            look_at(windows, &windows->entries[i], now_ns);
        }
    }
    look_at_left(windows);
    recycle(windows, now_ns);
    windows->timer.due_ns = cprof_left_has_more(&windows->left) ? 0 : windows->recycle_look_ns;
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].look_ns < windows->timer.due_ns) {
            windows->timer.due_ns = windows->entries[i].look_ns;
        }
    }
}

struct cprof_windows *cprof_windows_create(const struct cprof_config *config,
                                           const struct cprof_segment *segment,
                                           struct cprof_loop *loop, struct cprof_error *error)
{
    struct cprof_windows *windows = calloc(1, sizeof(*windows));

    if (!windows) {
        cprof_fail(error, "no memory for the windows");
        return NULL;
    }
    windows->config = config;
    windows->segment = segment;
    windows->control = cprof_segment_control(segment);
    windows->loop = loop;
    windows->symbols = cprof_symbols_create(cprof_memory_symbol_bytes(config));
    windows->recycle_look_ns = CPROF_LOOP_NEVER;
    windows->timer =
        (struct cprof_loop_timer){.due_ns = CPROF_LOOP_NEVER, .fire = work, .context = windows};
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        windows->entries[i].look_ns = CPROF_LOOP_NEVER;
    }
    if (!cprof_loop_add_timer(loop, &windows->timer)) {
        cprof_fail(error, "the loop has no place for the windows");
        cprof_symbols_free(windows->symbols);
        free(windows);
        return NULL;
    }
    return windows;
}

void cprof_windows_destroy(struct cprof_windows *windows)
{
    if (!windows) {
        return;
    }
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        windows->entries[i].stands = false; /* it is the next gateway's */
        free_entry(windows, &windows->entries[i]);
    }
    cprof_left_close(&windows->left);
    cprof_symbols_free(windows->symbols);
    cprof_loop_remove_timer(windows->loop, &windows->timer);
    free(windows);
}

void cprof_windows_adopt(struct cprof_windows *windows, enum cprof_window_source source,
                         cprof_window_finished finished, void *context)
{
    windows->adopters[source] = (struct cprof_adopter){.finished = finished, .context = context};
}

void cprof_windows_observe(struct cprof_windows *windows, cprof_window_finished observe,
                           void *context)
{
    windows->observer = (struct cprof_adopter){.finished = observe, .context = context};
}

/* A window of a gateway that was killed. */
static void take_on(struct cprof_windows *windows, unsigned index,
                    const struct cprof_window *window)
{
    struct entry *entry = &windows->entries[index];
    const struct cprof_adopter *adopter =
        window->source < SOURCES_MAX ? &windows->adopters[window->source] : &windows->adopters[0];

    entry->stands = true;
    if (!adopter->finished) {
        free_entry(windows, entry);
        return;
    }
    entry->window = *window;
    entry->adopted = true;
    entry->order.source = window->source;
    entry->order.finished = adopter->finished;
    entry->order.context = adopter->context;
    entry->ticket = cprof_left_ticket(windows->segment, index, window, &entry->ticket_bytes);
    if (window->flags & CPROF_WINDOW_HAS_BASE) {
        lose(windows, entry, CPROF_LEFT_BASE_IS_LOST);
        return;
    }
    cprof_log(CPROF_LOG_INFO, "the gateway goes on with window %u", window->id);
    cprof_left_correct_end(windows->control, &entry->window);
    entry->stage = STAGE_OPEN;
    entry->look_ns = entry->window.end_ns;
}

void cprof_windows_begin(struct cprof_windows *windows, const int *previous_fds,
                         size_t previous_count)
{
    struct cprof_window found[CPROF_WINDOWS_MAX];
    uint32_t mask;

    windows->left.config = windows->config;
    windows->left.symbols = windows->symbols;
    windows->left.control = windows->control;
    windows->left.adopters = windows->adopters;
    windows->left.adopter_count = SOURCES_MAX;
    windows->left.first_handle = (int)CPROF_WINDOWS_MAX;
    for (size_t i = 0; i < previous_count; i++) {
        cprof_left_take(&windows->left, previous_fds[i]);
    }
    mask = cprof_harvest_find_windows(windows->segment, found);
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (mask & (1u << i)) {
            take_on(windows, i, &found[i]);
        }
    }
    cprof_window_ring(windows->control);
    windows->epoch_began_ns = cprof_now_ns();
    windows->begun = true;
    recycle(windows, windows->epoch_began_ns);
    wake(windows);
}

static bool order_is_sound(const struct cprof_window_order *order)
{
    return order->finished && order->kinds && !(order->kinds & ~(uint32_t)CPROF_KINDS_ALL) &&
           order->source >= CPROF_SOURCE_SCHEDULE && order->source < SOURCES_MAX &&
           !(order->flags & ~(uint32_t)(CPROF_WINDOW_REQUESTS | CPROF_WINDOW_NEW_REQUESTS)) &&
           order->period_ns >= CPROF_PERIOD_NS_MIN && order->period_ns <= CPROF_PERIOD_NS_MAX &&
           (order->duration_ns == 0) != (order->end_ns == 0) &&
           order->duration_ns <= CPROF_WINDOW_NS_MAX &&
           order->ticket_bytes <= CPROF_TICKET_BYTES_MAX &&
           (order->ticket || order->ticket_bytes == 0) &&
           !(order->ticket_bytes && memchr(order->ticket, '\0', order->ticket_bytes));
}

static struct entry *find_free(struct cprof_windows *windows)
{
    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        if (windows->entries[i].stage == STAGE_FREE) {
            return &windows->entries[i];
        }
    }
    return NULL;
}

/* Whoever orders a window takes the period in force, or has one of his own. */
static uint32_t stretched(const struct cprof_config *config, uint64_t period_ns)
{
    bool is_stretched =
        config->period_ms > config->set_period_ms && period_ns == config->period_ms * NS_PER_MS;

    return is_stretched ? (uint32_t)CPROF_WINDOW_STRETCHED : 0;
}

int cprof_windows_order(struct cprof_windows *windows, const struct cprof_window_order *order,
                        struct cprof_error *error)
{
    struct entry *entry = find_free(windows);
    char *ticket;

    if (!order_is_sound(order)) {
        cprof_fail(error, "the window that was asked for is out of bounds");
        return -1;
    }
    if (!entry) {
        cprof_fail(error, "%u windows stand already", CPROF_WINDOWS_MAX);
        return -1;
    }
    ticket = strndup(order->ticket_bytes ? order->ticket : "", order->ticket_bytes);
    if (!ticket) {
        cprof_fail(error, "no memory for a window's ticket");
        return -1;
    }
    *entry = (struct entry){.stage = STAGE_WAITING,
                            .order = *order,
                            .ticket = ticket,
                            .ticket_bytes = order->ticket_bytes};
    entry->order.ticket = NULL;
    entry->order.flags |= stretched(windows->config, order->period_ns);
    entry->window.kinds = order->kinds;
    entry->window.source = order->source;
    entry->window.period_ns = order->period_ns;
    wake(windows);
    return (int)(entry - windows->entries);
}

void cprof_windows_release(struct cprof_windows *windows, int handle)
{
    if (handle >= (int)CPROF_WINDOWS_MAX) {
        cprof_left_release(&windows->left, handle);
        return;
    }
    if (handle >= 0 && windows->entries[handle].stage == STAGE_FINISHED) {
        free_entry(windows, &windows->entries[handle]);
        if (windows->begun) {
            recycle(windows, cprof_now_ns());
            wake(windows);
        }
    }
}

void cprof_windows_cancel(struct cprof_windows *windows, int handle)
{
    struct entry *entry;

    if (handle < 0 || handle >= (int)CPROF_WINDOWS_MAX) {
        return;
    }
    entry = &windows->entries[handle];
    if (entry->stage == STAGE_FREE || entry->stage == STAGE_FINISHED) {
        return;
    }
    if (entry->stands) {
        windows->drained_by_ns = cprof_now_ns() + CLOSE_WAIT_NS;
    }
    free_entry(windows, entry);
    cprof_window_ring(windows->control);
    wake(windows);
}

void cprof_windows_drop(struct cprof_windows *windows, enum cprof_window_source source)
{
    cprof_left_drop(&windows->left, source);
    for (int handle = 0; handle < (int)CPROF_WINDOWS_MAX; handle++) {
        if (windows->entries[handle].order.source == (uint32_t)source) {
            cprof_windows_cancel(windows, handle);
            cprof_windows_release(windows, handle);
        }
    }
}

unsigned cprof_windows_count(const struct cprof_windows *windows, enum cprof_window_source source)
{
    unsigned count = cprof_left_count(&windows->left, source);

    for (unsigned i = 0; i < CPROF_WINDOWS_MAX; i++) {
        count += windows->entries[i].stage != STAGE_FREE &&
                 windows->entries[i].order.source == (uint32_t)source;
    }
    return count;
}
