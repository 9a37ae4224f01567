/* demand.h - one profile, now: windows that somebody asks for by HTTP, fifo, touch, alarm or route.
 *
 * Who asks for the same kinds, length and period while a window of that sort has only just begun
 * shares it with the one before, so that an impatient crowd costs what one costs.
 *
 * Callers   the gateway's thread, on the loop; no function waits for anything.
 * Bounds    CPROF_DEMAND_WINDOWS_MAX windows and CPROF_DEMAND_CALLERS_MAX callers at once.
 * Kills     a window whose gateway is killed is finished by the next one and kept among the recent
 *           profiles; its callers went with the gateway. One at a time is kept until a caller has
 *           written it (sinks/hold.h).
 * Memory    profiles are borrowed for the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DEMAND_H
#define CPROF_DEMAND_H

#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../sinks/hold.h"
#include "../windows/harvest.h"
#include "../windows/windows.h"

#define CPROF_DEMAND_SECONDS_MAX 600u
#define CPROF_DEMAND_WINDOWS_MAX 4u
#define CPROF_DEMAND_CALLERS_MAX 32u

struct cprof_demand;

/* What became of an order. */
struct cprof_demand_result {
    const struct cprof_window *window; /* as it was sampled */
    struct cprof_harvest *harvest;     /* one profile a kind; NULL: the window is lost */
    struct cprof_hold *hold;           /* for who writes it later; NULL: there is none */
};

typedef void (*cprof_demand_ready)(void *context, const struct cprof_demand_result *result);

struct cprof_demand_order {
    uint32_t kinds;       /* enum cprof_kind, at least one */
    uint64_t duration_ns; /* above 0, at most CPROF_DEMAND_SECONDS_MAX */
    uint64_t period_ns;   /* 0: the configured one */
    const char *asker;    /* for the log: "HTTP", "fifo" ... */
    /* Called from the loop, once, unless the order is cancelled. NULL: nobody waits; the profile
     * is found among the recent ones. */
    cprof_demand_ready ready;
    void *context;
};

/* config and windows are borrowed. Adopts the windows on demand that a former gateway left: before
 * cprof_windows_begin. NULL without memory. */
struct cprof_demand *cprof_demand_create(const struct cprof_config *config,
                                         struct cprof_windows *windows,
                                         struct cprof_error *error) CPROF_MUST_USE;
/* Before the windows end; no callback is called. NULL is fine. */
void cprof_demand_destroy(struct cprof_demand *demand);

/* Returns the order's number, above 0. 0: it is out of bounds or there are too many; the error
 * says which, in words that may be shown to whoever asks. */
uint64_t cprof_demand_order(struct cprof_demand *demand, const struct cprof_demand_order *order,
                            struct cprof_error *error) CPROF_MUST_USE;

/* The caller went away: nothing is called for this order. Its window ends at once if nobody else
 * waits for it. A number that is not known does nothing. */
void cprof_demand_cancel(struct cprof_demand *demand, uint64_t number);

/* Takes back all windows on demand: their callers are told that they are lost. */
void cprof_demand_drop(struct cprof_demand *demand);

#endif
