/* lines.h - decodes CPython's line tables: which bytecode offset stands for which line.
 *
 * Callers   any thread. Pure: nothing but the arguments is touched.
 * Input     from a stranger: any bytes give some ranges, never a read outside, never a loop
 *           longer than the table.
 * Source    CPython's Objects/lnotab_notes.txt (3.6 to 3.10) and Objects/locations.md (3.11).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_LINES_H
#define CPROF_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/segment/layout.h"

/* A walk over a table, in order of the offsets. Fields are private but for the range. */
struct cprof_line_cursor {
    /* The range that the last cprof_lines_next gave: offsets start <= o < end. */
    uint64_t start;
    uint64_t end;
    int32_t line; /* 0: none */

    const uint8_t *bytes;
    size_t byte_count;
    size_t position;
    int64_t computed_line;
    uint32_t format;
    bool finished;
};

/* Starts a walk. `bytes` is borrowed until it ends; first_line is the code object's. */
void cprof_lines_begin(struct cprof_line_cursor *cursor, uint32_t format, const uint8_t *bytes,
                       size_t byte_count, int32_t first_line);

/* Goes to the next range; false at the end of the table. Ranges never go backwards. */
bool cprof_lines_next(struct cprof_line_cursor *cursor);

/* Moves the walk on to `byte_offset`, which must not be smaller than in the call before, and
 * returns its line; 0: the table has none for it. */
int32_t cprof_lines_seek(struct cprof_line_cursor *cursor, int32_t byte_offset);

#endif
