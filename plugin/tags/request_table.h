/* request_table.h - tells the gateway which requests the marks of stacks stand for.
 *
 * A request that a window asks for gets an entry with its method and URI when the ticker first
 * sees it, whatever core serves it, and its end when the ticker first misses it. The entry of a
 * request that is over stays until another one needs it: that of the one that ended first.
 *
 * Callers   the ticker alone.
 * Memory    the slot's entries, segment/layout.h: readers copy one and look at its sequence. They
 *           are used from the first one on: CPROF_REQUESTS_MIN, and as many more as requests have
 *           run at once. Private notes in the same manner, in mappings that are never unmapped.
 * Cost      a few loads for each request that runs, and one for each core that may have begun
 *           another. uWSGI hands out the core that came back last, so that those that serve lie
 *           close together; where it says how many do, the others are not looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_REQUEST_TABLE_H
#define CPROF_REQUEST_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"
#include "request_view.h"

struct cprof_request_table_setup {
    struct cprof_request_entry *entries; /* they live as long as the process */
    uint32_t entry_count;
    uint32_t core_count;  /* requests that the process can serve at once */
    uint32_t incarnation; /* of the slot: this process */
};

/* False, and no request has an entry: no memory. */
bool cprof_request_table_setup(const struct cprof_request_table_setup *setup,
                               const struct cprof_request_view *view);

/* Brings all entries up to date: new ones for requests that began before this, unix time. */
void cprof_request_table_update(uint64_t before_unix_ns);

#endif
