/* slots.h - which slots are done with an epoch, and giving their logs back.
 *
 * Callers   the gateway's thread.
 * Rule      a log is given back only when nobody can write to it any more: its process said so
 *           (closed_epoch), is gone, or never began. A slot that keeps silent sits out until it
 *           is let in.
 * Trust     pids come from shared memory: they are only asked whether they exist.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SLOTS_H
#define CPROF_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/segment.h"

/* Has every living process that sampled in `epoch` said that it is done with it? */
bool cprof_slots_have_closed(const struct cprof_segment *segment, uint32_t epoch);

/* Has each of them, or does it know all that was used and slept until `time_ns`? */
bool cprof_slots_have_settled(const struct cprof_segment *segment, uint32_t epoch,
                              uint64_t time_ns);

/* Is some slot's log of this epoch more than half full? */
bool cprof_slots_are_filling(const struct cprof_segment *segment, uint32_t epoch);

/* Begins a new epoch: gives back the logs that may be given back, then publishes the epoch. No
 * window may stand. Logs of the others stay as they are, in their old epoch. False: the time is
 * over; it goes on with *next_slot, 0 at first and when it is through. */
bool cprof_slots_begin_epoch(const struct cprof_segment *segment, uint32_t *next_slot,
                             uint64_t until_ns) CPROF_MUST_USE;

/* Lets slots that sat out, and are done with their old epoch by now, into the present one. Was
 * there one? Its process has to be woken. */
bool cprof_slots_let_in(const struct cprof_segment *segment);

#endif
