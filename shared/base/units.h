/* units.h - how many of one unit of time another one has.
 *
 * The names have no prefix: each says all that it is.
 *
 * Callers   anybody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_UNITS_H
#define CPROF_UNITS_H

#include <stdint.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)
#define US_PER_S  UINT64_C(1000000)
#define US_PER_MS UINT64_C(1000)

#endif
