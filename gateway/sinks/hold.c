/* hold.c - see hold.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hold.h"

#include <stdlib.h>

struct cprof_hold {
    struct cprof_held held;
    unsigned keepers;
    bool is_left; /* to the next gateway */
};

struct cprof_hold *cprof_hold_create(const struct cprof_held *held)
{
    struct cprof_hold *hold = calloc(1, sizeof(*hold));

    if (hold) {
        hold->held = *held;
        hold->keepers = 1;
    }
    return hold;
}

void cprof_hold_keep(struct cprof_hold *hold)
{
    if (hold) {
        hold->keepers++;
    }
}

void cprof_hold_let_go(struct cprof_hold *hold, bool is_settled)
{
    if (!hold) {
        return;
    }
    hold->is_left = hold->is_left || !is_settled;
    if (--hold->keepers > 0) {
        return;
    }
    if (!hold->is_left) {
        hold->held.give_back(&hold->held);
    }
    free(hold);
}
