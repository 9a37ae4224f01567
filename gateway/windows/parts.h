/* parts.h - long windows are made in parts, so that the logs can be given back while they last;
 * private to this room.
 *
 * Once a log is half full, all windows that are open end their present part together: the slots
 * close their logs, each window's part is read into the tables that it has so far, the logs are
 * given back, and each window goes on in its next part. What the slots do meanwhile is not sampled
 * and not in the profile's duration, which says so: milliseconds, or as long as the logs take to
 * read.
 *
 * Callers   the gateway's thread.
 * Memory    tables of windows that go on have all together what one profile may have
 *           (memory_share.h): each at most three quarters of what the others leave, of which the
 *           half is there from its begin and the rest comes with its time, so that no part takes it
 *           all. What finds no room is "[other]".
 * Kills     a part that was read dies with the gateway: the next one makes a profile of the present
 *           part, if that has no base, and says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_PARTS_H
#define CPROF_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "entries.h"

/* Looks, a few times a second, at how full the logs are, and cuts the windows that are open. */
void cprof_parts_look(struct cprof_windows *windows, uint64_t now_ns);

/* The entry's present part is read. */
void cprof_parts_pause(struct cprof_entry *entry);

/* Goes on with those that are paused, once all of them are. */
void cprof_parts_resume(struct cprof_windows *windows, uint64_t now_ns);

/* How large each of its tables may be with the part that is read next. */
size_t cprof_parts_table_bytes(const struct cprof_windows *windows,
                               const struct cprof_entry *entry);

#endif
