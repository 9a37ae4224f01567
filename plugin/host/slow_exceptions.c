/* slow_exceptions.c - see slow_exceptions.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "slow_exceptions.h"

#include <stddef.h>
#include <string.h>

#define EVENT_STREAM "text/event-stream"

static bool is_prefix(const char *text, size_t bytes)
{
    if (bytes < 2 || bytes > CPROF_SLOW_EXCEPTION_BYTES_MAX || text[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '?') {
            return false;
        }
    }
    return true;
}

bool cprof_slow_exceptions_add(struct cprof_slow_exceptions *exceptions, const char *prefix)
{
    size_t bytes = prefix ? strlen(prefix) : 0;

    if (exceptions->count == CPROF_SLOW_EXCEPTIONS_MAX || !is_prefix(prefix, bytes)) {
        return false;
    }
    memcpy(exceptions->prefixes[exceptions->count], prefix, bytes);
    exceptions->bytes[exceptions->count++] = (uint32_t)bytes;
    return true;
}

/* No prefix holds a question mark, so that none reaches into a query. */
bool cprof_slow_exceptions_cover(const struct cprof_slow_exceptions *exceptions, const char *path,
                                 uint32_t bytes)
{
    for (uint32_t i = 0; i < exceptions->count; i++) {
        if (exceptions->bytes[i] <= bytes &&
            memcmp(exceptions->prefixes[i], path, exceptions->bytes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The C library's functions ask the locale, which is not for handlers. `small` is no capital. */
static bool is_letter(char letter, char small)
{
    const int step = 'a' - 'A';

    return letter == small || (letter >= 'A' && letter <= 'Z' && letter + step == small);
}

/* RFC 9110, section 12.5.1: types are case-insensitive, parameters follow a semicolon. */
bool cprof_accepts_event_stream(const char *accept, uint32_t bytes)
{
    const uint32_t type_bytes = sizeof(EVENT_STREAM) - 1;

    if (bytes < type_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < type_bytes; i++) {
        if (!is_letter(accept[i], EVENT_STREAM[i])) {
            return false;
        }
    }
    return bytes == type_bytes || accept[type_bytes] == ';' || accept[type_bytes] == ',' ||
           accept[type_bytes] == ' ';
}
