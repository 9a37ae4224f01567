/* log.c - see log.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static cprof_log_sink *log_sink;
static enum cprof_log_level highest_level = CPROF_LOG_ERROR;

void cprof_log_setup(cprof_log_sink *sink, enum cprof_log_level highest)
{
    log_sink = sink;
    highest_level = highest;
}

static void print_line(const char *kind, const char *format, va_list arguments)
{
    char line[1024];
    int used = snprintf(line, sizeof(line), "[cloudprofiler] %s", kind);

    if (!log_sink || used < 0) {
        return;
    }
    /* One byte is kept for the newline. */
    (void)vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    memcpy(line + strlen(line), "\n", 2);
    log_sink(line);
}

void cprof_log(enum cprof_log_level level, const char *format, ...)
{
    static const char *const kinds[] = {"error: ", "warning: ", "", "debug: "};
    va_list arguments;

    if (level > highest_level) {
        return;
    }
    va_start(arguments, format);
    print_line(kinds[level], format, arguments);
    va_end(arguments);
}

void cprof_notice(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line("", format, arguments);
    va_end(arguments);
}
