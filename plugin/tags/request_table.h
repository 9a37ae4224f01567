/* request_table.h - tells the gateway which requests the marks of stacks stand for.
 *
 * A request that a window asks for gets an entry with its method and URI when the ticker first
 * sees it, and its end when the ticker first misses it. A worker's cores share the entries
 * out, at least one to each; an entry stays until a later request of its core that a window asks
 * for needs the place.
 *
 * Callers   the ticker alone.
 * Memory    the slot's requests, segment/layout.h: readers copy an entry and look at its sequence.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUEST_TABLE_H
#define CPROF_REQUEST_TABLE_H

#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "request_view.h"

/* `requests` must live as long as the process, which is the slot's `incarnation` and can serve
 * `request_count` requests at once. Cores beyond CPROF_REQUESTS_MAX have no entry. */
void cprof_request_table_setup(struct cprof_requests *requests,
                               const struct cprof_request_view *view, uint32_t request_count,
                               uint32_t incarnation);

/* Brings all entries up to date: new ones for requests that began before this, unix time. */
void cprof_request_table_update(uint64_t before_unix_ns);

#endif
