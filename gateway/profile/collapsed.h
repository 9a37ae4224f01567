/* collapsed.h - a table as collapsed stacks, the text that flamegraph.pl and others read.
 *
 * Callers   the gateway's thread.
 * Format    root;...;leaf SPACE nanoseconds, a line a sample. A ';' in a name becomes ':'.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COLLAPSED_H
#define CPROF_COLLAPSED_H

#include <stdio.h>

#include "table.h"

void cprof_collapsed_write(FILE *out, const struct cprof_table *table);

#endif
