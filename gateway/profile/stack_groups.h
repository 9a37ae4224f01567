/* stack_groups.h - a short wall profile as a list of what is under way: each request with the
 * stacks that it was met in most, then threads and greenlets that serve none. What stack_text.c and
 * stack_json.c have in common.
 *
 * Order     by worker; of each the requests first, the longest first; then threads by name. What
 *           has equal stacks stands together, in the place of the first of them.
 * Stacks    a request's is the one that it was met in most of the time; others follow where they
 *           have a good part of it. Greenlets that wait and belong to no request that is known have
 *           their time beside each other: those in one stack are one entry. Time that has no worker
 *           or no thread, which could not be sampled, is left out.
 * Callers   the gateway's thread.
 * Memory    texts are the table's and the list's of running requests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STACK_GROUPS_H
#define CPROF_STACK_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "running.h"
#include "table.h"

/* Samples of one entry with equal stacks. */
struct cprof_stack_group {
    const struct cprof_sample *sample; /* that with most time: its state is shown */
    uint64_t value_ns;
};

struct cprof_stack_entry {
    const char *worker;
    const char *thread; /* NULL: not known, as no stack is */

    /* The request; start_us 0: none is known. */
    const char *method, *uri;
    uint64_t start_us; /* unix time */
    uint64_t age_us;   /* when the window ended; 0: not known */

    uint32_t greenlets; /* that wait in the stack, about; 0: this is a request or a thread */

    /* Its stacks: stacks.groups[first], those with most time first, of which so many are worth
     * showing: none to three. Only the first of several entries with equal stacks has `alike` above
     * 0: so many entries, this one included, stand together. */
    size_t first, shown, alike;
    uint64_t total_ns; /* of all its stacks */
    uint64_t look;     /* private: equal where what is shown is */
};

struct cprof_stacks_seen {
    struct cprof_stack_group *groups;
    struct cprof_stack_entry *entries;
    size_t entry_count;
};

struct cprof_stacks_wanted {
    const struct cprof_table *table;
    const char *worker;                  /* value of the label, the only one; NULL: all */
    const struct cprof_running *running; /* requests that are listed in any case; NULL: none */
    uint64_t end_unix_ns;                /* of the window; 0: so long after the table's begin as the
                                          * table lasts */
};

/* The caller frees them. False: no memory. */
bool cprof_stacks_see(struct cprof_stacks_seen *seen,
                      const struct cprof_stacks_wanted *wanted) CPROF_MUST_USE;
void cprof_stacks_seen_free(struct cprof_stacks_seen *seen);

/* Whether a request stands for the entry. */
static inline bool cprof_stack_entry_is_request(const struct cprof_stack_entry *entry)
{
    return entry->start_us > 0;
}

bool cprof_has_same_stack(const struct cprof_table *table, const struct cprof_sample *a,
                          const struct cprof_sample *b);

/* 0 of nothing. */
double cprof_percent(uint64_t part, uint64_t whole);

#endif
