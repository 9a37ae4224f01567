/* idle.c - see idle.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "idle.h"

#include <string.h>

static bool is_of_gevent(const struct cprof_log_view *view, const struct cprof_frame *frame)
{
    struct cprof_log_code code;

    cprof_log_code(view, frame->code_ref, &code);
    return strstr(code.file, "/gevent/") != NULL;
}

/* The outermost frame is looked at first: an app's stack has one of the app's there. */
static bool waits_in_gevent(const struct cprof_log_view *view,
                            const struct cprof_stack_record *stack)
{
    if (stack->depth == 0 || (stack->flags & CPROF_STACK_TRUNCATED) ||
        (stack->state != CPROF_STATE_POLL && stack->state != CPROF_STATE_GREENLET)) {
        return false;
    }
    for (unsigned i = stack->depth; i > 0; i--) {
        if (!is_of_gevent(view, &stack->frames[i - 1])) {
            return false;
        }
    }
    return true;
}

bool cprof_stack_is_idle(const struct cprof_log_view *view, const struct cprof_stack_record *stack)
{
    return stack->kind == CPROF_STACK_OFF_CPU &&
           ((stack->flags & CPROF_STACK_IDLE) || waits_in_gevent(view, stack));
}
