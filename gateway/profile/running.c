/* running.c - see running.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "running.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cprof_running_request *append(struct cprof_running *running)
{
    size_t wanted = running->capacity ? 2 * running->capacity : 16;
    struct cprof_running_request *larger;

    if (running->count == CPROF_RUNNING_MAX) {
        return NULL;
    }
    if (running->count == running->capacity) {
        larger = realloc(running->requests, wanted * sizeof(*larger));
        if (!larger) {
            return NULL;
        }
        running->requests = larger;
        running->capacity = wanted;
    }
    return &running->requests[running->count];
}

static bool add(struct cprof_running *running, const struct cprof_request *request, uint32_t worker)
{
    struct cprof_running_request *added = append(running);
    char *method = strdup(request->method), *uri = strdup(request->uri);

    if (!added || !method || !uri) {
        free(method);
        free(uri);
        return false;
    }
    (void)snprintf(added->worker, sizeof(added->worker), "%u", worker);
    added->start_us = request->start_us;
    added->method = method;
    added->uri = uri;
    running->count++;
    return true;
}

void cprof_running_add(struct cprof_running *running, const struct cprof_request_list *list,
                       uint32_t worker, uint32_t incarnation, uint64_t end_us)
{
    for (size_t i = 0; i < list->count && !running->lacks_some; i++) {
        const struct cprof_request *request = &list->requests[i];

        if (request->incarnation == incarnation && request->start_us < end_us &&
            (request->end_us == 0 || request->end_us > end_us)) {
            running->lacks_some = !add(running, request, worker);
        }
    }
}

void cprof_running_reset(struct cprof_running *running)
{
    for (size_t i = 0; i < running->count; i++) {
        free(running->requests[i].method);
        free(running->requests[i].uri);
    }
    free(running->requests);
    *running = (struct cprof_running){0};
}
