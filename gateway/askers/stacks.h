/* stacks.h - what every thread of every process does right now, as text (profile/stack_text.h) or
 * as JSON (profile/stack_json.h): a short window of wall time that follows requests.
 *
 * Who asks while such a window is under way shares it.
 *
 * Callers   the gateway's thread, on the loop; no function waits.
 * Bounds    one window and CPROF_STACKS_CALLERS_MAX callers at once.
 * Kills     a dump of a gateway that is killed is given up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_STACKS_H
#define CPROF_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/segment/segment.h"
#include "../windows/windows.h"

#define CPROF_STACKS_CALLERS_MAX 32u

struct cprof_stacks;

enum cprof_stacks_form {
    CPROF_STACKS_TEXT,
    CPROF_STACKS_JSON,
    CPROF_STACKS_FORMS, /* how many there are */
};

/* The text, which is borrowed for the call; NULL: there is none, and why was logged. */
typedef void (*cprof_stacks_ready)(void *context, const char *text);

/* All borrowed. NULL without memory. */
struct cprof_stacks *cprof_stacks_create(const struct cprof_config *config,
                                         const struct cprof_segment *segment,
                                         struct cprof_windows *windows,
                                         struct cprof_error *error) CPROF_MUST_USE;
/* Before the windows end; no callback is called. NULL is fine. */
void cprof_stacks_destroy(struct cprof_stacks *stacks);

/* Off: orders are refused from now on. On at first. */
void cprof_stacks_switch(struct cprof_stacks *stacks, bool on);

/* Returns the order's number, above 0; ready(context, text) is called from the loop, once, unless
 * the order is cancelled. 0: there are too many, or it is off, as the error says in words for who
 * asked. */
uint64_t cprof_stacks_order(struct cprof_stacks *stacks, enum cprof_stacks_form form,
                            cprof_stacks_ready ready, void *context,
                            struct cprof_error *error) CPROF_MUST_USE;

/* The caller went away. A number that is not known does nothing. */
void cprof_stacks_cancel(struct cprof_stacks *stacks, uint64_t number);

/* Writes a text to the log, line by line, at any verbosity; a very long one is cut. */
void cprof_stacks_log(const char *text);

/* The process that sits in the slot with this label ("1", "mule 2") now; 0: nobody. `segment` is a
 * struct cprof_segment; as struct cprof_stack_text wants it. */
uint32_t cprof_stacks_pid_of(void *segment, const char *label);

#endif
