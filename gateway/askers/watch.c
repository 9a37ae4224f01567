/* watch.c - see watch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/oldest.h"
#include "../../shared/segment/window.h"
#include "../profile/requests.h"
#include "../profile/select.h"
#include "../profile/stack_text.h"
#include "../profile/table.h"
#include "slow_places.h"
#include "stacks.h"

#define WINDOW_NS     NS_PER_S
#define START_WAIT_NS (5 * NS_PER_S)

/* uWSGI strikes at the deadline or up to a second later: the first window is whole by then. */
#define LEAD_NS (1200 * NS_PER_MS)

/* A deadline that is long over was not kept, or is none. */
#define OVERDUE_NS (30 * NS_PER_S)

/* Stacks that are older when a worker is ended say nothing of its end. */
#define FRESH_NS (5 * NS_PER_S)

/* That would like a place, in one window: a hostile worker may claim slow requests by the
 * hundred. */
#define NEWCOMERS_MAX (4 * CPROF_WATCH_REQUESTS_MAX)

/* After all places for windows were taken. */
#define RETRY_NS (200 * NS_PER_MS)

#define WORKER_BYTES  16
#define NUMBER_BYTES  24
#define HOTTEST_BYTES 640

/* A slow request, while it runs. */
struct gathered {
    bool used;
    uint32_t slot_index;
    uint32_t incarnation;
    uint32_t pid; /* of its process, 0: not known */
    uint64_t start_us;
    uint64_t end_us;     /* 0: it runs */
    uint64_t seen_us;    /* its samples reach so far */
    bool is_counted;     /* as one that was cut */
    uint64_t first_ns;   /* where its samples begin, unix time */
    uint64_t sampled_ns; /* the windows' sum */
    char method[sizeof(((struct cprof_request *)0)->method)];
    char uri[sizeof(((struct cprof_request *)0)->uri)];
    struct cprof_table table;
};

/* A request that is slow and has no place. */
struct newcomer {
    uint32_t slot_index;
    struct cprof_request request;
};

/* A worker that was ended and is not reported yet. */
struct strike {
    bool pending;
    uint32_t pid;
    uint64_t seen_struck_ns; /* the slot's last word that was reported */
    uint64_t unix_ns;
};

struct cprof_watch {
    const struct cprof_config *config;
    const struct cprof_segment *segment;
    struct cprof_windows *windows;
    struct cprof_loop *loop;
    const struct cprof_sinks *sinks;
    struct cprof_loop_timer timer;
    bool is_off;
    bool is_ordered;
    int handle; /* of the window that is ordered */
    struct gathered gathered[CPROF_WATCH_REQUESTS_MAX];
    struct newcomer newcomers[NEWCOMERS_MAX]; /* in the last window */
    size_t newcomer_count;
    uint64_t gave_way_us; /* when the youngest request that gave way began: it and those that are
                           * older get no place any more, else all would take turns */
    uint64_t judged_us;   /* what was slow by then was judged in an earlier window */
    bool warned_of_places;
    uint64_t cut;
    struct strike *strikes;          /* one a slot */
    struct cprof_table last;         /* of the last window */
    struct cprof_running running;    /* when it ended */
    struct cprof_window last_window; /* id 0: there was none */
    struct cprof_request_list list;  /* of the slot that is looked at */
};

static void format_worker(char to[WORKER_BYTES], const struct cprof_watch *watch,
                          uint32_t slot_index)
{
    (void)snprintf(to, WORKER_BYTES, "%u", cprof_segment_slot(watch->segment, slot_index)->number);
}

/* What a slot asks for. */
struct wish {
    bool wanted;     /* a window, now */
    uint64_t due_ns; /* or then, unix time; UINT64_MAX: not known of */
};

static void want_at(struct wish *wish, uint64_t at_ns, uint64_t until_ns, uint64_t now_unix_ns)
{
    if (now_unix_ns >= at_ns && now_unix_ns < until_ns) {
        wish->wanted = true;
    } else if (now_unix_ns < at_ns && at_ns < wish->due_ns) {
        wish->due_ns = at_ns;
    }
}

static void ask_slot(const struct cprof_watch *watch, uint32_t slot_index, uint64_t now_unix_ns,
                     struct wish *wish)
{
    const struct cprof_slot *slot = cprof_segment_slot(watch->segment, slot_index);
    uint64_t deadline_ns = atomic_load(&slot->deadline_unix_ns);
    uint64_t oldest_us = atomic_load(&slot->followed_request_us);
    uint64_t slow_ns = watch->config->slow_request_s * NS_PER_S;

    if (deadline_ns > LEAD_NS && deadline_ns < UINT64_MAX - OVERDUE_NS) {
        want_at(wish, deadline_ns - LEAD_NS, deadline_ns + OVERDUE_NS, now_unix_ns);
    }
    if (slow_ns && oldest_us && oldest_us <= now_unix_ns / NS_PER_US) {
        uint64_t slow_at_ns = oldest_us * NS_PER_US + slow_ns;

        want_at(wish, slow_at_ns, slow_at_ns + CPROF_FOLLOWED_SECONDS_MAX * NS_PER_S, now_unix_ns);
    }
}

/* Slow requests */

static void forget(struct gathered *gathered)
{
    cprof_table_reset(&gathered->table);
    *gathered = (struct gathered){0};
}

/* When uWSGI struck the request's worker last, unix time; 0: it did not. */
static uint64_t struck_us(const struct cprof_watch *watch, const struct gathered *gathered)
{
    const struct cprof_slot *slot = cprof_segment_slot(watch->segment, gathered->slot_index);
    uint64_t struck_ns = atomic_load(&slot->struck_ns), now_ns = cprof_now_ns();
    bool is_struck = gathered->pid && atomic_load(&slot->struck_pid) == gathered->pid;

    return is_struck && struck_ns <= now_ns
               ? (cprof_now_unix_ns() - (now_ns - struck_ns)) / NS_PER_US
               : 0;
}

/* When it ended, or until when it ran at least. */
static uint64_t end_of(const struct cprof_watch *watch, const struct gathered *gathered)
{
    uint64_t ended_us = struck_us(watch, gathered);

    if (gathered->end_us) {
        return gathered->end_us;
    }
    ended_us = ended_us > gathered->seen_us ? ended_us : gathered->seen_us;
    return ended_us > gathered->start_us ? ended_us : gathered->start_us;
}

/* The request is over, was sampled long enough, or gives way: writes what was gathered. */
static void report_slow(struct cprof_watch *watch, struct gathered *gathered)
{
    const struct cprof_slot *slot = cprof_segment_slot(watch->segment, gathered->slot_index);
    uint64_t end_us = end_of(watch, gathered);
    const char *at_least = gathered->end_us ? "" : "at least ";
    char duration[NUMBER_BYTES], hottest[HOTTEST_BYTES];
    const struct cprof_label_text added = {.key = "duration", .value = duration};
    const struct cprof_selection all = {.dropped = "request", .added = &added, .added_count = 1};
    const struct cprof_why why = {
        .reason = CPROF_REASON_SLOW,
        .source = CPROF_SOURCE_WATCH,
        .time_unix_ns = gathered->start_us * NS_PER_US,
        .worker = slot->number,
    };
    struct cprof_profile profile;

    (void)snprintf(duration, sizeof(duration), "%.1f s",
                   (double)(end_us - gathered->start_us) / 1e6);
    cprof_stack_line(&gathered->table, hottest, sizeof(hottest));
    cprof_notice("slow request: worker %u, %s %s, %s%s; %s", slot->number, gathered->method,
                 gathered->uri, at_least, duration, hottest);
    cprof_profile_init(&profile);
    (void)cprof_select(&profile.table, &gathered->table, &all);
    profile.table.time_unix_ns = gathered->first_ns;
    profile.table.duration_ns = gathered->sampled_ns;
    cprof_table_comment(&profile.table, "slow request: %s %s took %s%s in worker %u",
                        gathered->method, gathered->uri, at_least, duration, slot->number);
    cprof_sinks_deliver(watch->sinks, &profile, &why);
    cprof_profile_reset(&profile);
    forget(gathered);
}

static struct gathered *find_gathered(struct cprof_watch *watch, uint32_t slot_index,
                                      uint64_t start_us)
{
    for (unsigned i = 0; i < CPROF_WATCH_REQUESTS_MAX; i++) {
        struct gathered *each = &watch->gathered[i];

        if (each->used && each->slot_index == slot_index && each->start_us == start_us) {
            return each;
        }
    }
    return NULL;
}

/* The process that serves or has served the request. If it is gone and the next one sits in its
 * place, it may be the one that was struck last. */
static uint32_t pid_of_request(const struct cprof_watch *watch, uint32_t slot_index,
                               const struct cprof_request *request)
{
    const struct cprof_slot *slot = cprof_segment_slot(watch->segment, slot_index);
    uint32_t incarnation = atomic_load(&slot->incarnation);

    if (incarnation == request->incarnation) {
        return atomic_load(&slot->pid);
    }
    return incarnation == request->incarnation + 1 ? atomic_load(&slot->struck_pid) : 0;
}

/* Adds what the last window has of the request. Its samples are as much as it was looked at, from
 * the window's begin on, where its worker ended early. */
static void add_window(const struct cprof_watch *watch, struct gathered *gathered,
                       const struct cprof_request *request)
{
    char worker[WORKER_BYTES], start[NUMBER_BYTES];
    const struct cprof_label_text labels[] = {{"worker", worker}, {"request", start}};
    const struct cprof_selection own = {.wanted = labels, .wanted_count = 2};
    const struct cprof_window *window = &watch->last_window;
    uint64_t before_ns = cprof_table_total_ns(&gathered->table), own_ns;
    uint64_t window_ns = window->end_ns - window->start_ns;

    format_worker(worker, watch, gathered->slot_index);
    (void)snprintf(start, sizeof(start), "%llu", (unsigned long long)request->start_us);
    if (cprof_select(&gathered->table, &watch->last, &own) > 0) {
        own_ns = cprof_table_total_ns(&gathered->table) - before_ns;
        gathered->seen_us =
            (window->start_unix_ns + (own_ns < window_ns ? own_ns : window_ns)) / NS_PER_US;
    }
    gathered->sampled_ns += watch->last.duration_ns;
    gathered->end_us = request->end_us;
}

/* False: the window has nothing of it, it ended before. */
static bool begin_gathering(const struct cprof_watch *watch, const struct newcomer *newcomer,
                            struct gathered *gathered)
{
    const struct cprof_request *request = &newcomer->request;

    *gathered = (struct gathered){
        .used = true,
        .slot_index = newcomer->slot_index,
        .incarnation = request->incarnation,
        .pid = pid_of_request(watch, newcomer->slot_index, request),
        .start_us = request->start_us,
        .first_ns = watch->last_window.start_unix_ns,
    };
    (void)snprintf(gathered->method, sizeof(gathered->method), "%s", request->method);
    (void)snprintf(gathered->uri, sizeof(gathered->uri), "%s", request->uri);
    cprof_table_init(&gathered->table);
    add_window(watch, gathered, request);
    if (gathered->table.sample_count == 0) {
        forget(gathered);
        return false;
    }
    return true;
}

/* More requests are slow than can be followed: the log says so once. */
static void count_cut(struct cprof_watch *watch)
{
    watch->cut++;
    if (!watch->warned_of_places) {
        watch->warned_of_places = true;
        cprof_log(CPROF_LOG_WARNING,
                  "more than %u requests are slow at once: some are followed for a part of their "
                  "time, or not at all; name paths that are slow by nature in "
                  "cloudprofiler-slow-request-except",
                  CPROF_WATCH_REQUESTS_MAX);
    }
}

static bool was_judged(const struct cprof_watch *watch, const struct cprof_request *request)
{
    return request->start_us + watch->config->slow_request_s * US_PER_S <= watch->judged_us;
}

/* One that gets no place, now or at all; each counts once. */
static void leave_out(struct cprof_watch *watch, const struct cprof_request *request)
{
    if (!was_judged(watch, request)) {
        count_cut(watch);
    }
}

static struct newcomer *oldest_newcomer(struct cprof_watch *watch)
{
    struct newcomer *oldest = &watch->newcomers[0];

    for (size_t i = 1; i < watch->newcomer_count; i++) {
        if (watch->newcomers[i].request.start_us < oldest->request.start_us) {
            oldest = &watch->newcomers[i];
        }
    }
    return oldest;
}

/* Where there are too many the oldest one is left out. */
static void note_newcomer(struct cprof_watch *watch, uint32_t slot_index,
                          const struct cprof_request *request)
{
    struct newcomer *place;

    if (request->start_us <= watch->gave_way_us) {
        leave_out(watch, request);
        return;
    }
    if (watch->newcomer_count < NEWCOMERS_MAX) {
        place = &watch->newcomers[watch->newcomer_count++];
    } else {
        place = oldest_newcomer(watch);
        if (request->start_us < place->request.start_us) {
            leave_out(watch, request);
            return;
        }
        leave_out(watch, &place->request);
    }
    *place = (struct newcomer){.slot_index = slot_index, .request = *request};
}

/* What is gathered of it is all that its profile will have. */
static void give_way(struct cprof_watch *watch, struct gathered *gathered)
{
    if (!gathered->is_counted) {
        count_cut(watch);
    }
    if (gathered->start_us > watch->gave_way_us) {
        watch->gave_way_us = gathered->start_us;
    }
    report_slow(watch, gathered);
}

/* Both as slow_places.h sees them. */
static void describe(const struct cprof_watch *watch, struct cprof_slow_request *places,
                     struct cprof_slow_request *waiting)
{
    for (size_t i = 0; i < CPROF_WATCH_REQUESTS_MAX; i++) {
        const struct gathered *each = &watch->gathered[i];

        places[i] = (struct cprof_slow_request){each->start_us, each->method, each->uri};
    }
    for (size_t i = 0; i < watch->newcomer_count; i++) {
        const struct cprof_request *each = &watch->newcomers[i].request;

        waiting[i] = (struct cprof_slow_request){each->start_us, each->method, each->uri};
    }
}

/* Gives the newcomer whose turn it is a place, or leaves it out. False: the others get none, as
 * one has given way already. */
static bool serve_next(struct cprof_watch *watch, bool *has_given_way)
{
    struct cprof_slow_request places[CPROF_WATCH_REQUESTS_MAX], waiting[NEWCOMERS_MAX];
    struct newcomer *newcomer;
    struct gathered begun;
    size_t next, place;

    describe(watch, places, waiting);
    next = cprof_slow_places_next(waiting, watch->newcomer_count, places, CPROF_WATCH_REQUESTS_MAX);
    place = cprof_slow_places_take(places, CPROF_WATCH_REQUESTS_MAX, &waiting[next]);
    newcomer = &watch->newcomers[next];
    if (place == CPROF_WATCH_REQUESTS_MAX) {
        leave_out(watch, &newcomer->request);
    } else if (watch->gathered[place].used && *has_given_way) {
        return false;
    } else if (begin_gathering(watch, newcomer, &begun)) {
        begun.is_counted = was_judged(watch, &newcomer->request);
        if (watch->gathered[place].used) {
            *has_given_way = true;
            give_way(watch, &watch->gathered[place]);
        }
        watch->gathered[place] = begun;
    }
    *newcomer = watch->newcomers[--watch->newcomer_count];
    return true;
}

static void serve_newcomers(struct cprof_watch *watch)
{
    bool has_given_way = false;

    while (watch->newcomer_count > 0 && serve_next(watch, &has_given_way)) {
        continue;
    }
    for (size_t i = 0; i < watch->newcomer_count; i++) {
        leave_out(watch, &watch->newcomers[i].request);
    }
    watch->newcomer_count = 0;
}

/* The age at which a request is reported even if it runs on. */
static uint64_t longest_us(const struct cprof_watch *watch)
{
    return (CPROF_FOLLOWED_SECONDS_MAX + watch->config->slow_request_s) * NS_PER_S / NS_PER_US;
}

/* And not reported yet for its age: windows that others caused would gather it anew. */
static bool is_slow(const struct cprof_watch *watch, const struct cprof_request *request)
{
    uint64_t window_start_us = watch->last_window.start_unix_ns / NS_PER_US;
    uint64_t window_end_us = cprof_window_end_unix_ns(&watch->last_window) / NS_PER_US;
    uint64_t end_us = request->end_us ? request->end_us : window_end_us;

    return !request->is_excepted && end_us >= window_start_us && end_us > request->start_us &&
           end_us - request->start_us >= watch->config->slow_request_s * NS_PER_S / NS_PER_US &&
           window_end_us < request->start_us + longest_us(watch);
}

static bool is_gone(const struct cprof_watch *watch, const struct gathered *gathered)
{
    const struct cprof_slot *slot = cprof_segment_slot(watch->segment, gathered->slot_index);

    return atomic_load(&slot->incarnation) != gathered->incarnation;
}

/* Those that are over, whose process is gone, or that were sampled long enough. With `all` those,
 * too, whose end no window has seen. */
static void report_ended(struct cprof_watch *watch, bool all)
{
    uint64_t seen_us = cprof_window_end_unix_ns(&watch->last_window) / NS_PER_US;

    for (unsigned i = 0; i < CPROF_WATCH_REQUESTS_MAX; i++) {
        struct gathered *each = &watch->gathered[i];

        if (each->used && (all || each->end_us || is_gone(watch, each) ||
                           seen_us >= each->start_us + longest_us(watch))) {
            report_slow(watch, each);
        }
    }
}

static void gather_of_slot(struct cprof_watch *watch, uint32_t slot_index)
{
    cprof_requests_read(&watch->list, watch->segment, slot_index);
    for (size_t i = 0; i < watch->list.count; i++) {
        const struct cprof_request *request = &watch->list.requests[i];
        struct gathered *gathered = find_gathered(watch, slot_index, request->start_us);

        if (!is_slow(watch, request)) {
            continue;
        }
        if (gathered) {
            add_window(watch, gathered, request);
        } else {
            note_newcomer(watch, slot_index, request);
        }
    }
}

static void gather_slow_requests(struct cprof_watch *watch)
{
    uint32_t workers = watch->config->worker_count;

    if (!watch->config->slow_request_s) {
        return;
    }
    for (uint32_t i = 0; i < workers && i < watch->segment->slot_count; i++) {
        gather_of_slot(watch, i);
    }
    serve_newcomers(watch);
    watch->judged_us = cprof_window_end_unix_ns(&watch->last_window) / NS_PER_US;
    report_ended(watch, false);
}

/* Harakiri */

static uint32_t pid_of_struck(void *context, const char *worker)
{
    (void)worker;
    return *(const uint32_t *)context;
}

/* The worker's part of the last window, if that is of its last seconds. */
static bool report_stacks(struct cprof_watch *watch, uint32_t slot_index, struct strike *strike)
{
    char worker[WORKER_BYTES];
    const struct cprof_label_text label = {.key = "worker", .value = worker};
    const struct cprof_selection own = {.wanted = &label, .wanted_count = 1, .dropped = "request"};
    struct cprof_why why = {
        .reason = CPROF_REASON_HARAKIRI,
        .source = CPROF_SOURCE_WATCH,
        .time_unix_ns = strike->unix_ns,
        .worker = cprof_segment_slot(watch->segment, slot_index)->number,
    };
    const struct cprof_stack_text wanted = {.table = &watch->last,
                                            .worker = worker,
                                            .running = &watch->running,
                                            .end_unix_ns =
                                                cprof_window_end_unix_ns(&watch->last_window),
                                            .pid_of = pid_of_struck,
                                            .context = &strike->pid};
    struct cprof_error error;
    struct cprof_profile profile;
    char *text;

    format_worker(worker, watch, slot_index);
    text = cprof_stack_text(&wanted, &error);
    if (!text || !*text) {
        free(text);
        return false;
    }
    cprof_notice("harakiri: what worker %s (pid %u) did before uWSGI ended it:", worker,
                 strike->pid);
    cprof_stacks_log(text);
    cprof_profile_init(&profile);
    (void)cprof_select(&profile.table, &watch->last, &own);
    profile.table.time_unix_ns = watch->last.time_unix_ns;
    profile.table.duration_ns = watch->last.duration_ns;
    cprof_table_comment(&profile.table, "harakiri: worker %s, pid %u", worker, strike->pid);
    why.text = text;
    cprof_sinks_deliver(watch->sinks, &profile, &why);
    cprof_profile_reset(&profile);
    free(text);
    return true;
}

static bool last_window_is_of(const struct cprof_watch *watch, const struct strike *strike)
{
    const struct cprof_window *window = &watch->last_window;

    return window->id && window->start_unix_ns < strike->unix_ns &&
           strike->unix_ns < cprof_window_end_unix_ns(window) + FRESH_NS;
}

/* One that no window has seen waits for the window that is under way. */
static void report_strikes(struct cprof_watch *watch)
{
    for (uint32_t i = 0; i < watch->segment->slot_count; i++) {
        struct strike *strike = &watch->strikes[i];

        if (!strike->pending) {
            continue;
        }
        if (last_window_is_of(watch, strike) && report_stacks(watch, i, strike)) {
            strike->pending = false;
        } else if (!watch->is_ordered) {
            cprof_notice("harakiri: what worker %u (pid %u) did before uWSGI ended it is not known",
                         cprof_segment_slot(watch->segment, i)->number, strike->pid);
            strike->pending = false;
        }
    }
}

/* The master may have struck since the gateway read its clock: the moment can lie behind now_ns. */
static bool is_recent(uint64_t struck_ns, uint64_t now_ns)
{
    return struck_ns > now_ns ? struck_ns - now_ns < OVERDUE_NS : now_ns - struck_ns < OVERDUE_NS;
}

/* A worker that does not die is struck each second: its first time counts. */
static void note_strikes(struct cprof_watch *watch, uint64_t now_ns)
{
    for (uint32_t i = 0; i < watch->segment->slot_count; i++) {
        const struct cprof_slot *slot = cprof_segment_slot(watch->segment, i);
        struct strike *strike = &watch->strikes[i];
        uint64_t struck_ns = atomic_load(&slot->struck_ns);
        uint32_t pid = atomic_load(&slot->struck_pid);
        bool is_new = struck_ns && struck_ns != strike->seen_struck_ns && pid != strike->pid;

        strike->seen_struck_ns = struck_ns;
        if (is_new && is_recent(struck_ns, now_ns)) {
            strike->pending = true;
            strike->pid = pid;
            strike->unix_ns = cprof_now_unix_ns() - now_ns + struck_ns;
        }
    }
}

/* Windows */

static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_watch *watch = context;

    if (result->harvest) {
        note_strikes(watch, cprof_now_ns());
        report_strikes(watch); /* by the window before, in which no successor can be */
        cprof_table_reset(&watch->last);
        watch->last = result->harvest->profiles[0].table;
        cprof_table_init(&result->harvest->profiles[0].table);
        cprof_running_reset(&watch->running);
        watch->running = result->harvest->running;
        result->harvest->running = (struct cprof_running){0};
        watch->last_window = *result->window;
        gather_slow_requests(watch);
    }
    watch->is_ordered = false;
    cprof_windows_release(watch->windows, result->handle);
    watch->timer.due_ns = 0; /* what is still pending is reported then */
}

static void order_window(struct cprof_watch *watch, uint64_t now_ns)
{
    const struct cprof_window_order order = {
        .kinds = CPROF_KIND_WALL,
        .source = CPROF_SOURCE_WATCH,
        .flags = CPROF_WINDOW_REQUESTS,
        .period_ns = watch->config->period_ms * NS_PER_MS,
        .duration_ns = WINDOW_NS,
        .latest_start_ns = now_ns + START_WAIT_NS,
        .finished = finished,
        .context = watch,
    };
    struct cprof_error error;

    watch->handle = cprof_windows_order(watch->windows, &order, &error);
    watch->is_ordered = watch->handle >= 0;
    if (!watch->is_ordered) {
        cprof_log(CPROF_LOG_INFO, "slow requests are not sampled now: %s", error.text);
        watch->timer.due_ns = now_ns + RETRY_NS;
    }
}

void cprof_watch_look(struct cprof_watch *watch, uint64_t now_ns)
{
    struct wish wish = {.due_ns = UINT64_MAX};
    uint64_t now_unix_ns = cprof_now_unix_ns();

    note_strikes(watch, now_ns);
    report_strikes(watch);
    if (watch->is_ordered) {
        return;
    }
    for (uint32_t i = 0; i < watch->segment->slot_count; i++) {
        ask_slot(watch, i, now_unix_ns, &wish);
    }
    watch->timer.due_ns = CPROF_LOOP_NEVER;
    if (wish.wanted && !watch->is_off) {
        order_window(watch, now_ns);
        return;
    }
    report_ended(watch, true);
    if (wish.due_ns - now_unix_ns < NS_PER_S) {
        watch->timer.due_ns = now_ns + (wish.due_ns - now_unix_ns);
    }
}

const uint64_t *cprof_watch_cut(const struct cprof_watch *watch)
{
    return &watch->cut;
}

void cprof_watch_switch(struct cprof_watch *watch, bool on)
{
    watch->is_off = !on;
    if (!on && watch->is_ordered) {
        cprof_windows_cancel(watch->windows, watch->handle);
        watch->is_ordered = false;
    }
}

static void look(void *context, uint64_t now_ns)
{
    cprof_watch_look(context, now_ns);
}

struct cprof_watch *cprof_watch_create(const struct cprof_config *config,
                                       const struct cprof_segment *segment,
                                       struct cprof_windows *windows, struct cprof_loop *loop,
                                       const struct cprof_sinks *sinks, struct cprof_error *error)
{
    struct cprof_watch *watch = calloc(1, sizeof(*watch));

    if (watch) {
        *watch = (struct cprof_watch){
            .config = config, .segment = segment, .windows = windows, .loop = loop, .sinks = sinks};
        watch->strikes = calloc(segment->slot_count, sizeof(*watch->strikes));
        watch->timer =
            (struct cprof_loop_timer){.due_ns = CPROF_LOOP_NEVER, .fire = look, .context = watch};
        cprof_table_init(&watch->last);
    }
    if (!watch || !watch->strikes || !cprof_loop_add_timer(loop, &watch->timer)) {
        cprof_fail(error, "no memory or no place in the loop to follow slow requests");
        cprof_watch_destroy(watch);
        return NULL;
    }
    /* What happened before this gateway began is not its to tell. */
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        watch->strikes[i].seen_struck_ns = atomic_load(&cprof_segment_slot(segment, i)->struck_ns);
    }
    return watch;
}

void cprof_watch_destroy(struct cprof_watch *watch)
{
    if (!watch) {
        return;
    }
    cprof_loop_remove_timer(watch->loop, &watch->timer);
    for (unsigned i = 0; i < CPROF_WATCH_REQUESTS_MAX; i++) {
        if (watch->gathered[i].used) {
            forget(&watch->gathered[i]);
        }
    }
    cprof_table_reset(&watch->last);
    cprof_running_reset(&watch->running);
    cprof_requests_reset(&watch->list);
    free(watch->strikes);
    free(watch);
}
