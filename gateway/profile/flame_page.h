/* flame_page.h - a table as one page of HTML that needs nothing else: a flame graph (SVG, the root
 * on top) and the text of --top. No script, no style, so that the strictest policy shows it.
 *
 * Callers   the gateway's thread.
 * Bounds    frames narrower than a thousandth of the whole are left out, and those deeper than
 *           CPROF_FLAME_DEPTH_MAX.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_FLAME_PAGE_H
#define CPROF_FLAME_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "table.h"

#define CPROF_FLAME_DEPTH_MAX 256u

/* The samples of the table should differ by more than lines (filter.h). */
bool cprof_flame_page_write(FILE *out, const struct cprof_table *table,
                            struct cprof_error *error) CPROF_MUST_USE;

#endif
