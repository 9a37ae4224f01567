/* stack_groups.h - a short wall profile by worker and thread: which stacks a thread was met in
 * most, and which request it serves. What stack_text.c and stack_json.c have in common.
 *
 * A thread's stack is the one that it was met in most of the time; others follow where they have
 * a good part of it. Time that has no worker or no thread, which could not be sampled, is left out.
 *
 * Callers   the gateway's thread.
 * Memory    texts are the table's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STACK_GROUPS_H
#define CPROF_STACK_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "table.h"

/* Samples of one thread with equal stacks. */
struct cprof_stack_group {
    const struct cprof_sample *sample; /* that with most time: its state is shown */
    const char *worker, *thread;
    uint64_t value_ns;
};

/* The groups of one thread, which follow each other. Begins as zeros. */
struct cprof_thread_stacks {
    size_t first, count;
    uint64_t total_ns;
};

struct cprof_stack_request {
    const char *method, *uri;
    uint64_t start_us; /* unix time */
    uint64_t age_us;   /* when the profile ended; 0: not known */
};

/* The groups by worker, then thread, those with most time first; the caller frees them. worker: the
 * only one that is wanted, NULL: all. NULL without memory. */
struct cprof_stack_group *cprof_stack_groups(const struct cprof_table *table, const char *worker,
                                             size_t *count) CPROF_MUST_USE;

/* Goes on to the next thread; false: there is none. */
bool cprof_next_thread(struct cprof_thread_stacks *thread, const struct cprof_stack_group *groups,
                       size_t count);

/* How many of the thread's groups are worth showing: 1 to 3. */
size_t cprof_stacks_shown(const struct cprof_thread_stacks *thread,
                          const struct cprof_stack_group *groups);

/* The request that the sample belongs to; false: none is known. */
bool cprof_request_of(struct cprof_stack_request *request, const struct cprof_table *table,
                      const struct cprof_sample *sample);

bool cprof_has_same_stack(const struct cprof_table *table, const struct cprof_sample *a,
                          const struct cprof_sample *b);

/* 0 of nothing. */
double cprof_percent(uint64_t part, uint64_t whole);

#endif
