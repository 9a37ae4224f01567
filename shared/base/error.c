/* error.c - see error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool cprof_fail(struct cprof_error *error, const char *format, ...)
{
    va_list arguments;

    error->lasting = false;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

bool cprof_fail_for_good(struct cprof_error *error, const char *format, ...)
{
    va_list arguments;

    error->lasting = true;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

bool cprof_fail_errno(struct cprof_error *error, int errno_value, const char *format, ...)
{
    va_list arguments;
    char reason[128];
    size_t used;

    error->lasting = false;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    used = strlen(error->text);
    /* The GNU strerror_r may return a constant instead of filling the buffer. */
    (void)snprintf(error->text + used, sizeof(error->text) - used, ": %s",
                   strerror_r(errno_value, reason, sizeof(reason)));
    return false;
}
