/* idle.c - see idle.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "idle.h"

#include <string.h>

#define PACKAGE "/gevent/"

/* How much of a file's name is the package's directory, 0: it is not in one. An app may lie in a
 * directory of that name, too: the innermost one is the package. */
static size_t package_bytes(const char *file, size_t file_bytes)
{
    const size_t bytes = strlen(PACKAGE);

    for (size_t end = file_bytes; end >= bytes; end--) {
        if (memcmp(file + end - bytes, PACKAGE, bytes) == 0) {
            return end;
        }
    }
    return 0;
}

/* The innermost frame is gevent's own where anything waits in it. Of the others the outermost is
 * looked at first: an app's stack has one of the app's there. */
static bool waits_in_gevent(const struct cprof_log_view *view,
                            const struct cprof_stack_record *stack)
{
    const char *innermost, *file;
    size_t bytes, file_bytes;

    if (stack->depth == 0 || (stack->flags & CPROF_STACK_TRUNCATED) ||
        (stack->state != CPROF_STATE_POLL && stack->state != CPROF_STATE_GREENLET)) {
        return false;
    }
    innermost = cprof_log_file(view, stack->frames[0].code_ref, &file_bytes);
    bytes = package_bytes(innermost, file_bytes);
    for (unsigned i = stack->depth; bytes > 0 && i > 1; i--) {
        file = cprof_log_file(view, stack->frames[i - 1].code_ref, &file_bytes);
        if (file_bytes < bytes || memcmp(file, innermost, bytes) != 0) {
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
