/* subject_token.c - see subject_token.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "subject_token.h"

#include <jansson.h>
#include <string.h>

static bool take(char token[CPROF_TOKEN_BYTES], const char *text, size_t bytes)
{
    if (bytes == 0 || bytes >= CPROF_TOKEN_BYTES || memchr(text, '\0', bytes)) {
        return false;
    }
    memcpy(token, text, bytes);
    token[bytes] = '\0';
    return true;
}

static bool read_json(char token[CPROF_TOKEN_BYTES], const char *text, size_t text_bytes,
                      const char *field, const char *origin, struct cprof_error *error)
{
    json_error_t position;
    json_t *json = json_loadb(text, text_bytes, 0, &position);
    const json_t *value = json_object_get(json, field);
    bool ok = json_is_string(value) && json_string_length(value) > 0;

    if (!json) {
        return cprof_fail(error, "%.200s: the subject token is not JSON (line %d)", origin,
                          position.line);
    }
    if (!ok) {
        (void)cprof_fail(error, "%.200s: the subject token's JSON has no text \"%.60s\"", origin,
                         field);
    } else {
        ok = take(token, json_string_value(value), json_string_length(value)) ||
             cprof_fail(error, "%.200s: the subject token is longer than 16 KiB", origin);
    }
    json_decref(json);
    return ok;
}

bool cprof_subject_token_read(char token[CPROF_TOKEN_BYTES], const char *text, size_t text_bytes,
                              const char *field, const char *origin, struct cprof_error *error)
{
    if (field[0]) {
        return read_json(token, text, text_bytes, field, origin, error);
    }
    while (text_bytes > 0 && (text[text_bytes - 1] == '\n' || text[text_bytes - 1] == '\r')) {
        text_bytes--;
    }
    return take(token, text, text_bytes) ||
           cprof_fail(error, "%.200s: the subject token is empty, binary or longer than 16 KiB",
                      origin);
}
