/* demand.c - see demand.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demand.h"

#include <stdlib.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

/* Who comes so much later than the first still gets the same profile. */
#define SHARE_NS (500 * NS_PER_MS)

/* Others hold a window up for milliseconds as a rule, and for as long as it takes to read their
 * logs (windows.h). */
#define START_WAIT_NS (30 * NS_PER_S)

/* A window that was ordered. */
struct ordered {
    bool used;
    bool wanted; /* for the recent profiles, whoever goes away */
    int handle;
    uint32_t kinds;
    uint64_t duration_ns, period_ns, ordered_ns;
};

/* Somebody who waits for one. */
struct caller {
    uint64_t number; /* 0: free */
    const struct ordered *ordered;
    cprof_demand_ready ready;
    void *context;
};

struct cprof_demand {
    const struct cprof_config *config;
    struct cprof_windows *windows;
    struct ordered ordered[CPROF_DEMAND_WINDOWS_MAX];
    struct caller callers[CPROF_DEMAND_CALLERS_MAX];
    uint64_t last_number;
    bool is_held; /* a window that has ended, until it is written */
};

static struct ordered *find_by_handle(struct cprof_demand *demand, int handle)
{
    for (unsigned i = 0; i < CPROF_DEMAND_WINDOWS_MAX; i++) {
        if (demand->ordered[i].used && demand->ordered[i].handle == handle) {
            return &demand->ordered[i];
        }
    }
    return NULL;
}

/* Takes the callers of a window off the list first: a callback may order and cancel. */
static void answer_callers(struct cprof_demand *demand, const struct ordered *ordered,
                           const struct cprof_demand_result *result)
{
    struct caller answered[CPROF_DEMAND_CALLERS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < CPROF_DEMAND_CALLERS_MAX; i++) {
        if (demand->callers[i].number != 0 && demand->callers[i].ordered == ordered) {
            answered[count++] = demand->callers[i];
            demand->callers[i] = (struct caller){0};
        }
    }
    for (unsigned i = 0; i < count; i++) {
        answered[i].ready(answered[i].context, result);
    }
}

static void give_back(const struct cprof_held *held)
{
    struct cprof_demand *demand = held->context;

    demand->is_held = false;
    cprof_windows_release(demand->windows, held->handle);
}

/* NULL: the window is given back at once. */
static struct cprof_hold *hold(struct cprof_demand *demand, int handle)
{
    const struct cprof_held held = {.give_back = give_back, .context = demand, .handle = handle};
    struct cprof_hold *made = demand->is_held ? NULL : cprof_hold_create(&held);

    demand->is_held = demand->is_held || made;
    return made;
}

static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_demand *demand = context;
    struct ordered *ordered = result->adopted ? NULL : find_by_handle(demand, result->handle);
    const struct cprof_demand_result answer = {
        .window = result->window, .harvest = result->harvest, .hold = hold(demand, result->handle)};

    if (ordered) {
        ordered->used = false; /* first: what a callback orders is another window */
        answer_callers(demand, ordered, &answer);
    }
    if (answer.hold) {
        cprof_hold_let_go(answer.hold, true);
    } else {
        cprof_windows_release(demand->windows, result->handle);
    }
}

struct cprof_demand *cprof_demand_create(const struct cprof_config *config,
                                         struct cprof_windows *windows, struct cprof_error *error)
{
    struct cprof_demand *demand = calloc(1, sizeof(*demand));

    if (!demand) {
        cprof_fail(error, "no memory for profiles on demand");
        return NULL;
    }
    demand->config = config;
    demand->windows = windows;
    cprof_windows_adopt(windows, CPROF_SOURCE_DEMAND, finished, demand);
    return demand;
}

void cprof_demand_destroy(struct cprof_demand *demand)
{
    free(demand);
}

static bool is_sound(const struct cprof_demand_order *order, uint64_t period_ns,
                     struct cprof_error *error)
{
    if (order->kinds == 0 || order->kinds & ~(uint32_t)CPROF_KINDS_ALL) {
        return cprof_fail(error, "a profile is of CPU time, of wall time, or of both");
    }
    if (order->duration_ns == 0 || order->duration_ns > CPROF_DEMAND_SECONDS_MAX * NS_PER_S) {
        return cprof_fail(error, "a profile covers 1 to %u seconds", CPROF_DEMAND_SECONDS_MAX);
    }
    if (period_ns < CPROF_PERIOD_NS_MIN || period_ns > CPROF_PERIOD_NS_MAX) {
        return cprof_fail(error, "the period is %llu to %llu milliseconds",
                          (unsigned long long)(CPROF_PERIOD_NS_MIN / NS_PER_MS),
                          (unsigned long long)(CPROF_PERIOD_NS_MAX / NS_PER_MS));
    }
    return true;
}

static struct caller *find_free_caller(struct cprof_demand *demand)
{
    for (unsigned i = 0; i < CPROF_DEMAND_CALLERS_MAX; i++) {
        if (demand->callers[i].number == 0) {
            return &demand->callers[i];
        }
    }
    return NULL;
}

static struct ordered *find_to_share(struct cprof_demand *demand,
                                     const struct cprof_demand_order *order, uint64_t period_ns)
{
    uint64_t now_ns = cprof_now_ns();
    uint64_t late_ns = order->duration_ns / 10 < SHARE_NS ? order->duration_ns / 10 : SHARE_NS;

    for (unsigned i = 0; i < CPROF_DEMAND_WINDOWS_MAX; i++) {
        struct ordered *each = &demand->ordered[i];

        if (each->used && each->kinds == order->kinds && each->duration_ns == order->duration_ns &&
            each->period_ns == period_ns && now_ns - each->ordered_ns <= late_ns) {
            return each;
        }
    }
    return NULL;
}

static struct ordered *find_unused(struct cprof_demand *demand)
{
    for (unsigned i = 0; i < CPROF_DEMAND_WINDOWS_MAX; i++) {
        if (!demand->ordered[i].used) {
            return &demand->ordered[i];
        }
    }
    return NULL;
}

static struct ordered *order_window(struct cprof_demand *demand,
                                    const struct cprof_demand_order *order, uint64_t period_ns,
                                    struct cprof_error *error)
{
    struct ordered *ordered = find_unused(demand);
    uint64_t now_ns = cprof_now_ns();
    const struct cprof_window_order window = {
        .kinds = order->kinds,
        .source = CPROF_SOURCE_DEMAND,
        .period_ns = period_ns,
        .duration_ns = order->duration_ns,
        .latest_start_ns = now_ns + START_WAIT_NS,
        .finished = finished,
        .context = demand,
    };
    int handle;

    if (!ordered) {
        cprof_fail(error, "%u profiles are being taken already: ask again when one has ended",
                   CPROF_DEMAND_WINDOWS_MAX);
        return NULL;
    }
    handle = cprof_windows_order(demand->windows, &window, error);
    if (handle < 0) {
        return NULL;
    }
    *ordered = (struct ordered){.used = true,
                                .handle = handle,
                                .kinds = order->kinds,
                                .duration_ns = order->duration_ns,
                                .period_ns = period_ns,
                                .ordered_ns = now_ns};
    cprof_log(CPROF_LOG_INFO, "%s asks for a profile of %.1f s", order->asker,
              (double)order->duration_ns / 1e9);
    return ordered;
}

uint64_t cprof_demand_order(struct cprof_demand *demand, const struct cprof_demand_order *order,
                            struct cprof_error *error)
{
    uint64_t period_ns =
        order->period_ns ? order->period_ns : demand->config->period_ms * NS_PER_MS;
    struct caller *caller = find_free_caller(demand);
    struct ordered *ordered;

    if (!is_sound(order, period_ns, error)) {
        return 0;
    }
    if (!caller) {
        cprof_fail(error, "%u callers wait for profiles already", CPROF_DEMAND_CALLERS_MAX);
        return 0;
    }
    ordered = find_to_share(demand, order, period_ns);
    ordered = ordered ? ordered : order_window(demand, order, period_ns, error);
    if (!ordered) {
        return 0;
    }
    demand->last_number++;
    if (!order->ready) {
        ordered->wanted = true;
        return demand->last_number;
    }
    *caller = (struct caller){.number = demand->last_number,
                              .ordered = ordered,
                              .ready = order->ready,
                              .context = order->context};
    return demand->last_number;
}

static bool is_waited_for(const struct cprof_demand *demand, const struct ordered *ordered)
{
    bool waited_for = ordered->wanted;

    for (unsigned i = 0; i < CPROF_DEMAND_CALLERS_MAX; i++) {
        waited_for |= demand->callers[i].number != 0 && demand->callers[i].ordered == ordered;
    }
    return waited_for;
}

static void give_up(struct cprof_demand *demand, struct caller *caller)
{
    struct ordered *ordered = &demand->ordered[caller->ordered - demand->ordered];

    *caller = (struct caller){0};
    if (!is_waited_for(demand, ordered)) {
        cprof_windows_cancel(demand->windows, ordered->handle);
        ordered->used = false;
    }
}

void cprof_demand_cancel(struct cprof_demand *demand, uint64_t number)
{
    for (unsigned i = 0; number != 0 && i < CPROF_DEMAND_CALLERS_MAX; i++) {
        if (demand->callers[i].number == number) {
            give_up(demand, &demand->callers[i]);
        }
    }
}

void cprof_demand_drop(struct cprof_demand *demand)
{
    static const struct cprof_window none;
    const struct cprof_demand_result lost = {.window = &none};

    for (unsigned i = 0; i < CPROF_DEMAND_WINDOWS_MAX; i++) {
        struct ordered *ordered = &demand->ordered[i];

        if (ordered->used) {
            ordered->used = false;
            cprof_windows_cancel(demand->windows, ordered->handle);
            answer_callers(demand, ordered, &lost);
        }
    }
}
