/* scope.h - tags for what runs between two moments in one Python context: `with tag(...)`.
 *
 * Who sees it  samples of the thread or greenlet or task that runs the context, and of none other;
 *              threads and tasks that it starts have contexts of their own.
 * Leftovers    what a thread of uWSGI's sets while it serves a request is forgotten with the
 *              request at the latest.
 * Callers      a thread of the app's, with the GIL. In processes that are not sampled nothing is
 *              noted: the app's own forked children, the master.
 * Memory       an entry of tag_sets.h while there are tags, with a reference to the context.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SCOPE_H
#define CPROF_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "../python/runtime.h"
#include "../tags/tag_sets.h"

/* What the host knows of requests. */
struct cprof_scope_host {
    int (*core)(void); /* whose thread the caller is, -1: none's, or cores share threads */
    uint64_t (*stamp)(int core); /* of its present request (tag_sets.h), 0: it has none */
};

/* Both must live as long as the process. In the master at init. */
void cprof_scope_setup(const struct cprof_python *python, const struct cprof_scope_host *host);

/* Tags that are set, and what they were set over. */
struct cprof_scope {
    uintptr_t context;    /* 0: they are not set anywhere */
    uint32_t chain;       /* with the tags */
    uint32_t outer_chain; /* without */
    bool is_of_request;   /* of one that a core's own thread serves */
    int core;             /* that core, and the request's stamp */
    uint64_t stamp;
};

/* Sets the tags in the running context. Always fills *scope, which wants to be left. */
void cprof_scope_enter(const struct cprof_tag_list *tags, struct cprof_scope *scope);

/* Takes the tags back, whichever context runs now. What was set inside of them, and is left
 * later than they are, stays. Tags of a request that is over were forgotten: then what the context
 * has for the present one stays as it is. */
void cprof_scope_leave(const struct cprof_tag_list *tags, struct cprof_scope *scope);

/* Sets a tag for the rest of the request that the caller serves. False: it serves none, or this
 * process is not sampled. */
bool cprof_scope_tag_request(uint32_t tag);

#endif
