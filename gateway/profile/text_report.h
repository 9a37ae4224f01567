/* text_report.h - a table as text for people: the top functions, then whose time it was and, in
 * wall profiles, what for.
 *
 * Callers   the command --top. One thread.
 * Width     100 columns; long names and paths are shortened on the left, where they matter least.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TEXT_REPORT_H
#define CPROF_TEXT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "table.h"

/* Prints the report of `profiles` merged profiles with the `top_count` functions that have most
 * time of their own. */
bool cprof_text_report(FILE *out, const struct cprof_table *table, uint32_t profiles,
                       uint32_t top_count, struct cprof_error *error) CPROF_MUST_USE;

#endif
