/* orders.h - profiles that operators' commands ask for, and where they go: output-dir, and, where a
 * route asked, the memory file that routes serve from.
 *
 * Callers   the gateway's thread, on the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ORDERS_H
#define CPROF_ORDERS_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/commands.h"
#include "../../shared/segment/layout.h"
#include "../../shared/segment/results.h"
#include "../askers/demand.h"
#include "../sinks/sink.h"
#include "../status/status.h"

struct cprof_orders {
    struct cprof_demand *demand;
    struct cprof_control *control;
    struct cprof_status *status;
    struct cprof_sink *sink;       /* NULL: no files are written */
    struct cprof_results *results; /* NULL: no routes are served */
};

/* Takes a profile; all that `orders` names must live until the demand ends. The shape that
 * actions.h asks for; `context` is the struct. */
bool cprof_orders_profile(void *context, uint32_t kinds, uint32_t seconds, enum cprof_origin origin,
                          struct cprof_error *error);

#endif
