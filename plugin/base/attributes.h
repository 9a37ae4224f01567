/* attributes.h - the few compiler attributes that all rooms share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ATTRIBUTES_H
#define CPROF_ATTRIBUTES_H

#define CPROF_VERSION "0.1.0"

/* The result says whether the call worked: ignoring it is a bug. */
#define CPROF_MUST_USE __attribute__((warn_unused_result))

/* Declares that a function may run in a signal handler. Such functions live in files whose
 * first line says SIGSAFE FILE; tools/sigsafe checks what those files may call. */
#define CPROF_SIGSAFE

#define CPROF_PRINTF(format_index, first_argument)                                                 \
    __attribute__((format(printf, format_index, first_argument)))

#endif
