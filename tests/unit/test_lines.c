/* test_lines.c - see gateway/profile/lines.h. The tables are CPython's own for one function;
 * test_lines_against_cpython.py compares whole libraries.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "../../gateway/profile/lines.h"
#include "expect.h"

/* Compares the line of each second offset; first_line is the function's. */
static void gives(uint32_t format, const uint8_t *table, size_t bytes, int32_t first_line,
                  const int32_t *lines, size_t line_count)
{
    struct cprof_line_cursor cursor;

    cprof_lines_begin(&cursor, format, table, bytes, first_line);
    for (size_t i = 0; i < line_count; i++) {
        EXPECT(cprof_lines_seek(&cursor, (int32_t)(i * 2)) == lines[i]);
    }
}

static void a_table_of_3_9_is_decoded(void)
{
    static const uint8_t table[] = {0x00, 0x01, 0x04, 0x03, 0x02, 0x01, 0x02, 0xfe,
                                    0x04, 0x03, 0x08, 0x01, 0x04, 0x01, 0x0a, 0x01};
    static const int32_t lines[] = {3, 3, 6, 7, 5, 5, 8, 8, 8, 8, 9, 9, 10, 10, 10, 10, 10, 11, 11};

    gives(CPROF_LINES_LNOTAB, table, sizeof(table), 2, lines, sizeof(lines) / sizeof(*lines));
}

static void a_table_of_3_10_is_decoded(void)
{
    static const uint8_t table[] = {0x04, 0x01, 0x02, 0x03, 0x02, 0x01, 0x04, 0xfe, 0x08,
                                    0x03, 0x04, 0x01, 0x08, 0x01, 0x02, 0x80, 0x04, 0x01};
    static const int32_t lines[] = {3, 3, 6, 7, 5, 5, 8, 8, 8, 8, 9, 9, 10, 10, 10, 10, 0, 11, 11};

    gives(CPROF_LINES_TABLE_310, table, sizeof(table), 2, lines, sizeof(lines) / sizeof(*lines));
}

static void a_table_of_3_11_is_decoded(void)
{
    static const uint8_t table[] = {
        0x80, 0x00, 0xd8, 0x08, 0x09, 0x80, 0x41, 0xf0, 0x06, 0x00, 0x09, 0x0a, 0xd8,
        0x08, 0x09, 0xf0, 0x05, 0x02, 0x09, 0x0b, 0x80, 0x41, 0xf0, 0x06, 0x00, 0x0e,
        0x0f, 0xf0, 0x00, 0x02, 0x05, 0x13, 0xf0, 0x00, 0x02, 0x05, 0x13, 0x88, 0x01,
        0xd8, 0x0b, 0x0c, 0xf0, 0x00, 0x01, 0x09, 0x13, 0xd8, 0x0c, 0x0d, 0x90, 0x11,
        0x89, 0x46, 0x88, 0x41, 0xf8, 0xd8, 0x0b, 0x0c, 0x80, 0x48};
    static const int32_t lines[] = {2, 3, 3,  6,  7,  5,  5,  8, 8,  8, 8,
                                    9, 9, 10, 10, 10, 10, 10, 0, 11, 11};

    gives(CPROF_LINES_TABLE_311, table, sizeof(table), 2, lines, sizeof(lines) / sizeof(*lines));
}

static void offsets_outside_the_table_have_no_line(void)
{
    static const uint8_t table[] = {0x04, 0x01};
    struct cprof_line_cursor cursor;

    cprof_lines_begin(&cursor, CPROF_LINES_TABLE_310, table, sizeof(table), 2);
    EXPECT(cprof_lines_seek(&cursor, -2) == 0);
    EXPECT(cprof_lines_seek(&cursor, 0) == 3);
    EXPECT(cprof_lines_seek(&cursor, 4) == 0);
    EXPECT(cprof_lines_seek(&cursor, INT32_MAX) == 0);
}

static void an_unknown_format_has_no_line(void)
{
    static const uint8_t table[] = {0x04, 0x01};
    struct cprof_line_cursor cursor;

    cprof_lines_begin(&cursor, 77, table, sizeof(table), 2);
    EXPECT(cprof_lines_seek(&cursor, 0) == 0);
}

static void random_bytes_are_survived(void)
{
    struct cprof_line_cursor cursor;

    srandom(1);
    for (unsigned round = 0; round < 100000; round++) {
        size_t bytes = (size_t)random() % 64;
        /* An own allocation of the exact size shows a read behind the end. */
        uint8_t *exact = malloc(bytes ? bytes : 1);
        unsigned ranges = 0;

        EXPECT(exact);
        for (size_t i = 0; i < bytes; i++) {
            exact[i] = (uint8_t)random();
        }
        cprof_lines_begin(&cursor, round % 5, exact, bytes, (int32_t)random());
        while (cprof_lines_next(&cursor)) {
            EXPECT(cursor.start <= cursor.end && cursor.line >= 0);
            ranges++;
        }
        EXPECT(ranges <= bytes + 1);
        free(exact);
    }
}

int main(void)
{
    RUN(a_table_of_3_9_is_decoded);
    RUN(a_table_of_3_10_is_decoded);
    RUN(a_table_of_3_11_is_decoded);
    RUN(offsets_outside_the_table_have_no_line);
    RUN(an_unknown_format_has_no_line);
    RUN(random_bytes_are_survived);
    return 0;
}
