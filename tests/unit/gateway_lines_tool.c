/* gateway_lines_tool.c - decodes line tables from standard input, for
 * test_lines_against_cpython.py, whose lines it answers one by one:
 *
 *     FORMAT FIRST_LINE TABLE_HEX OFFSETS  ->  LINE,LINE,...
 *
 * OFFSETS is how many code units are asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/profile/lines.h"

static size_t from_hex(uint8_t *table, const char *hex)
{
    size_t bytes = 0;
    unsigned value;

    while (sscanf(hex + bytes * 2, "%2x", &value) == 1) {
        table[bytes++] = (uint8_t)value;
    }
    return bytes;
}

static int answer(const char *line, char *hex, uint8_t *table)
{
    struct cprof_line_cursor cursor;
    uint32_t format, offsets;
    int32_t first_line;

    if (sscanf(line, "%" SCNu32 " %" SCNd32 " %s %" SCNu32, &format, &first_line, hex, &offsets) !=
        4) {
        return 1;
    }
    cprof_lines_begin(&cursor, format, table, from_hex(table, hex), first_line);
    for (uint32_t i = 0; i < offsets; i++) {
        int32_t found = cprof_lines_seek(&cursor, (int32_t)(i * 2));

        (void)printf("%s%" PRId32, i ? "," : "", found ? found : first_line);
    }
    (void)putchar('\n');
    return 0;
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    int status = 0;

    while (status == 0 && getline(&line, &capacity, stdin) > 0) {
        char *hex = malloc(capacity);
        uint8_t *table = malloc(capacity);

        status = hex && table ? answer(line, hex, table) : 1;
        free(hex);
        free(table);
    }
    free(line);
    return status;
}
