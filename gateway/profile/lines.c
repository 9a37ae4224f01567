/* lines.c - see lines.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lines.h"

/* Offsets count bytes; a code unit of CPython 3.6 and later has two. */
#define CODE_UNIT_BYTES 2

/* Kinds of 3.11 entries (bits 3 to 6 of the first byte); 0 to 9 are short forms that stay on
 * the line and have one further byte, of columns. */
enum {
    ENTRY_ONE_LINE_0 = 10, /* the line moves by 0, 1 or 2; two bytes of columns */
    ENTRY_ONE_LINE_2 = 12,
    ENTRY_NO_COLUMNS = 13, /* the line moves by a signed number */
    ENTRY_LONG = 14,       /* the same, then three numbers: end line and columns */
    ENTRY_NO_LINE = 15,
};

void cprof_lines_begin(struct cprof_line_cursor *cursor, uint32_t format, const uint8_t *bytes,
                       size_t byte_count, int32_t first_line)
{
    *cursor = (struct cprof_line_cursor){
        .bytes = bytes,
        .byte_count = byte_count,
        .computed_line = first_line,
        .format = format,
    };
}

static int32_t as_line(int64_t line)
{
    return line >= 1 && line <= INT32_MAX ? (int32_t)line : 0;
}

static void set_range(struct cprof_line_cursor *cursor, uint64_t length, bool has_line)
{
    cursor->start = cursor->end;
    cursor->end += length;
    cursor->line = has_line ? as_line(cursor->computed_line) : 0;
}

/* Pairs (unsigned step in offsets, signed step in lines). The line of a range is known when
 * the pair that ends it is met; behind the last pair, the range has no end. */
static bool next_of_lnotab(struct cprof_line_cursor *cursor)
{
    while (cursor->byte_count - cursor->position >= 2) {
        uint8_t step = cursor->bytes[cursor->position];
        int8_t line_step = (int8_t)cursor->bytes[cursor->position + 1];

        cursor->position += 2;
        if (step > 0) {
            set_range(cursor, step, true);
            cursor->computed_line += line_step;
            return true;
        }
        cursor->computed_line += line_step;
    }
    cursor->finished = true;
    set_range(cursor, UINT32_MAX, true);
    return true;
}

/* Pairs (length in offsets, signed step in lines, -128: no line). */
static bool next_of_table_310(struct cprof_line_cursor *cursor)
{
    uint8_t length;
    int8_t line_step;

    if (cursor->byte_count - cursor->position < 2) {
        return false;
    }
    length = cursor->bytes[cursor->position];
    line_step = (int8_t)cursor->bytes[cursor->position + 1];
    cursor->position += 2;
    if (line_step != INT8_MIN) {
        cursor->computed_line += line_step;
    }
    set_range(cursor, length, line_step != INT8_MIN);
    return true;
}

/* A number in groups of six bits, the lowest first; bit 6 says that another group follows. More
 * than 32 bits are read over. A table that ends within a number ends the walk. */
static uint32_t read_number(struct cprof_line_cursor *cursor)
{
    uint32_t number = 0;
    unsigned shift = 0;

    while (cursor->position < cursor->byte_count) {
        uint8_t group = cursor->bytes[cursor->position++];

        if (shift < 32) {
            number |= (uint32_t)(group & 0x3f) << shift;
        }
        shift += 6;
        if (!(group & 0x40)) {
            return number;
        }
    }
    cursor->finished = true;
    return 0;
}

/* The lowest bit of a signed number is its sign. */
static int64_t read_signed_number(struct cprof_line_cursor *cursor)
{
    uint32_t number = read_number(cursor);

    return number & 1 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

/* Steps over the columns, which are not used. */
static void skip_bytes(struct cprof_line_cursor *cursor, size_t bytes)
{
    size_t left = cursor->byte_count - cursor->position;

    cursor->position += bytes < left ? bytes : left;
}

static bool next_of_table_311(struct cprof_line_cursor *cursor)
{
    uint8_t head;
    unsigned kind;

    if (cursor->position >= cursor->byte_count) {
        return false;
    }
    head = cursor->bytes[cursor->position++];
    kind = (head >> 3) & 0x0f;
    if (kind == ENTRY_LONG || kind == ENTRY_NO_COLUMNS) {
        cursor->computed_line += read_signed_number(cursor);
    }
    if (kind == ENTRY_LONG) {
        (void)read_number(cursor);
        (void)read_number(cursor);
        (void)read_number(cursor);
    } else if (kind >= ENTRY_ONE_LINE_0 && kind <= ENTRY_ONE_LINE_2) {
        cursor->computed_line += kind - ENTRY_ONE_LINE_0;
        skip_bytes(cursor, 2);
    } else if (kind < ENTRY_ONE_LINE_0) {
        skip_bytes(cursor, 1);
    }
    set_range(cursor, ((head & 7u) + 1u) * CODE_UNIT_BYTES, kind != ENTRY_NO_LINE);
    return true;
}

bool cprof_lines_next(struct cprof_line_cursor *cursor)
{
    if (cursor->finished) {
        return false;
    }
    switch (cursor->format) {
    case CPROF_LINES_LNOTAB:
        return next_of_lnotab(cursor);
    case CPROF_LINES_TABLE_310:
        return next_of_table_310(cursor);
    case CPROF_LINES_TABLE_311:
        return next_of_table_311(cursor);
    default:
        return false;
    }
}

int32_t cprof_lines_seek(struct cprof_line_cursor *cursor, int32_t byte_offset)
{
    if (byte_offset < 0) {
        return 0;
    }
    while ((uint64_t)byte_offset >= cursor->end) {
        if (!cprof_lines_next(cursor)) {
            return 0;
        }
    }
    return cursor->line;
}
