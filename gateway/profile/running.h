/* running.h - the requests that ran when a window ended, with or without a stack in its profile.
 *
 * A request that waits in uWSGI's own code, or in a greenlet that is not known, has no stack that
 * says so: a list of what runs must not depend on stacks.
 *
 * Callers   the gateway's thread.
 * Memory    begins as zeros, grows with what is added, up to CPROF_RUNNING_MAX requests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_RUNNING_H
#define CPROF_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

#define CPROF_RUNNING_MAX          20000u
#define CPROF_RUNNING_WORKER_BYTES 16

struct cprof_running_request {
    char worker[CPROF_RUNNING_WORKER_BYTES]; /* value of the label */
    uint64_t start_us;                       /* unix time */
    char *method, *uri;
};

struct cprof_running {
    struct cprof_running_request *requests;
    size_t count, capacity;
    bool lacks_some; /* there were more, or there was no memory */
};

/* Adds those of a worker's requests that ran at `end_us`, unix time, by the process that is the
 * slot's `incarnation`: an earlier one may have been ended before it could note an end. */
void cprof_running_add(struct cprof_running *running, const struct cprof_request_list *list,
                       uint32_t worker, uint32_t incarnation, uint64_t end_us);

void cprof_running_reset(struct cprof_running *running);

#endif
