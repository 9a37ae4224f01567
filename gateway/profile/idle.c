/* idle.c - see idle.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "idle.h"

#include <string.h>

#define PACKAGE "/gevent/"

/* How much of a file's name is the package's directory, 0: it is not in one. An app may lie in a
 * directory of that name, too: the innermost one is the package. */
static size_t package_bytes(const char *file)
{
    const char *found = NULL;

    for (const char *at = strstr(file, PACKAGE); at; at = strstr(at + 1, PACKAGE)) {
        found = at + strlen(PACKAGE);
    }
    return found ? (size_t)(found - file) : 0;
}

/* The innermost frame is gevent's own where anything waits in it. Of the others the outermost is
 * looked at first: an app's stack has one of the app's there. */
static bool waits_in_gevent(const struct cprof_log_view *view,
                            const struct cprof_stack_record *stack)
{
    struct cprof_log_code innermost, code;
    size_t bytes;

    if (stack->depth == 0 || (stack->flags & CPROF_STACK_TRUNCATED) ||
        (stack->state != CPROF_STATE_POLL && stack->state != CPROF_STATE_GREENLET)) {
        return false;
    }
    cprof_log_code(view, stack->frames[0].code_ref, &innermost);
    bytes = package_bytes(innermost.file);
    for (unsigned i = stack->depth; bytes > 0 && i > 1; i--) {
        cprof_log_code(view, stack->frames[i - 1].code_ref, &code);
        if (strncmp(code.file, innermost.file, bytes) != 0) {
            return false;
        }
    }
    return bytes > 0;
}

bool cprof_stack_is_idle(const struct cprof_log_view *view, const struct cprof_stack_record *stack)
{
    return stack->kind == CPROF_STACK_OFF_CPU &&
           ((stack->flags & CPROF_STACK_IDLE) || waits_in_gevent(view, stack));
}
