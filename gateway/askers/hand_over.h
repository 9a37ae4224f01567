/* hand_over.h - gives what a window collected to the sinks.
 *
 * Callers   the gateway's thread, when a window has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_HAND_OVER_H
#define CPROF_HAND_OVER_H

#include "../sinks/sink.h"
#include "../windows/harvest.h"

/* Each profile of the window, for one reason. NULL: the window is lost, and nothing is done. */
void cprof_hand_over(const struct cprof_sinks *sinks, struct cprof_harvest *harvest,
                     const struct cprof_why *why);

#endif
