/* duration.h - reads lengths of time as the API writes them, exactly and in no locale.
 *
 * Callers   any thread; pure.
 * Forms     proto3's JSON Duration ("1.500s"); Go's (1h2m3.5s), which stands in sentences.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_DURATION_H
#define CPROF_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"

/* "10s", "1.500s" (proto3 JSON Duration) in ns. False, and *duration_ns untouched: it is none,
 * negative, finer than a nanosecond, or does not fit. */
bool cprof_api_duration(const char *text, uint64_t *duration_ns) CPROF_MUST_USE;

/* The wait that a sentence orders, as in "action throttled, backoff for 1h33m2.5s", wherever it
 * stands in it. False, and *delay_ns untouched: it orders none that can be understood. */
bool cprof_api_backoff_in(const char *sentence, uint64_t *delay_ns) CPROF_MUST_USE;

#endif
