/* error.h - one error, filled once by the function that failed, told once by whoever handles it.
 *
 * Callers   any process and thread, never a signal handler (it formats text).
 * Memory    the caller's; nothing is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ERROR_H
#define CPROF_ERROR_H

#include <stdbool.h>

#include "attributes.h"

struct cprof_error {
    char text[512]; /* one sentence without prefix or newline; empty: no error */
    bool lasting;   /* no later try can end otherwise */
};

/* Fills *error with a printf-style sentence; always returns false, so that a function can
 * `return cprof_fail(...)`. */
bool cprof_fail(struct cprof_error *error, const char *format, ...) CPROF_PRINTF(2, 3);

/* The same, for what no later try can change: files of another build, above all. */
bool cprof_fail_for_good(struct cprof_error *error, const char *format, ...) CPROF_PRINTF(2, 3);

/* As cprof_fail, and appends ": " and the text of errno_value. */
bool cprof_fail_errno(struct cprof_error *error, int errno_value, const char *format, ...)
    CPROF_PRINTF(3, 4);

#endif
