/* tags.h - which tags a thread has at this moment: those of uWSGI's request that were asked for,
 * those set for the request, and those of the running Python context, the innermost last.
 *
 * Two steps  see: reads, and changes nothing; intern: what was seen becomes ids. The ticker proves
 *            in between that the thread slept, lest a torn text becomes a value.
 * Core       whose request it is: the thread's core, or, where cores share a thread, the one that
 *            the context's entry says (tag_sets.h).
 * Callers    setup: the sampler's start. The rest: handlers and the ticker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TAGS_H
#define CPROF_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../python/peek.h"
#include "../python/runtime.h"
#include "request_view.h"
#include "tag_sets.h"
#include "tag_values.h"

#define CPROF_REQUEST_PARTS_MAX 4u

/* As much as is needed to cut a value where UTF-8 allows it. */
#define CPROF_REQUEST_PART_BYTES (CPROF_TAG_VALUE_BYTES_MAX + 4u)

/* Makes keys of the request's parts that `tags` (enum cprof_tag_bit) names, before the app can
 * use up all keys. False: there are no more keys, or there is no memory. In the master. */
bool cprof_tags_reserve(uint32_t tags) CPROF_MUST_USE;

/* `python` must live as long as the process. */
CPROF_SIGSAFE void cprof_tags_setup(const struct cprof_python *python,
                                    const struct cprof_request_view *requests);

/* From now on what is seen carries the marks of requests that began before this, unix time; 0: no
 * marks, UINT64_MAX: those of all. The ticker. */
void cprof_tags_mark_requests(uint64_t before_unix_ns);

/* The mark of the request that began at `start_us` and has this stamp; never 0. */
CPROF_SIGSAFE uint32_t cprof_tags_mark(uint64_t stamp, uint64_t start_us);

/* What was seen of a thread. Texts of parts that were not asked for have no byte. */
struct cprof_seen_tags {
    uint32_t request; /* mark of the request; 0: none, or it is not to be marked */
    struct cprof_tag_list set;
    uint32_t part_bytes[CPROF_REQUEST_PARTS_MAX];
    char parts[CPROF_REQUEST_PARTS_MAX][CPROF_REQUEST_PART_BYTES];
};

/* Of a thread that is uWSGI's `core`, or -1, and runs under the thread state `state`, or 0. */
CPROF_SIGSAFE void cprof_tags_see(enum cprof_peek_way way, int core, uintptr_t state,
                                  struct cprof_seen_tags *seen);

/* The same of a context that does not run, or 0: that of a greenlet that is parked. */
CPROF_SIGSAFE void cprof_tags_see_context(enum cprof_peek_way way, uintptr_t context,
                                          struct cprof_seen_tags *seen);

/* The parts that were interned last, of a context of the recorder. Most samples have the same ones
 * again: then no text is hashed, and none of the tables of tag_values.h, a page for each, is read,
 * which costs more. Zeros: none. */
struct cprof_interned_parts {
    uint32_t ids[CPROF_REQUEST_PARTS_MAX];
    uint32_t part_bytes[CPROF_REQUEST_PARTS_MAX];
    char parts[CPROF_REQUEST_PARTS_MAX][CPROF_REQUEST_PART_BYTES];
};

/* `known` is the caller's alone for the while. */
CPROF_SIGSAFE void cprof_tags_intern(const struct cprof_seen_tags *seen,
                                     struct cprof_interned_parts *known,
                                     struct cprof_tag_list *list);

/* The address that stands for the context that runs under a thread state, tag_sets.h; 0 for 0. */
CPROF_SIGSAFE uintptr_t cprof_tags_context(const struct cprof_python *python,
                                           enum cprof_peek_way way, uintptr_t state);

#endif
