/* token_answer.c - see token_answer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "token_answer.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define LIFETIME_S_MAX 86400

/* A word of a server's message that has so many of the characters of tokens in a row may be one:
 * servers quote what they refuse. */
#define TOKEN_RUN_MIN 24u

#define HIDDEN "[...]"

bool cprof_token_is_sound(const char *token)
{
    size_t length = strnlen(token, CPROF_TOKEN_BYTES);

    for (size_t i = 0; i < length; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < CPROF_TOKEN_BYTES;
}

static json_t *load_object(const char *text, size_t text_bytes)
{
    json_t *json =
        text_bytes <= CPROF_TOKEN_ANSWER_BYTES_MAX ? json_loadb(text, text_bytes, 0, NULL) : NULL;

    if (json && !json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static bool take_token(struct cprof_token_answer *answer, const json_t *json, const char *name,
                       struct cprof_error *error)
{
    const char *token = text_of(json, name);

    if (!cprof_token_is_sound(token)) {
        return cprof_fail(error, "its answer has no sound \"%s\"", name);
    }
    memcpy(answer->token, token, strlen(token) + 1);
    return true;
}

/* Seconds as a number or, as some servers write them, as a text of digits; -1: neither. */
static int64_t seconds_of(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;
    long long seconds;

    if (json_is_integer(value)) {
        return json_integer_value(value);
    }
    if (json_is_real(value)) {
        double real = json_real_value(value);

        return real >= 0 && real < LIFETIME_S_MAX ? (int64_t)real : real > 0 ? LIFETIME_S_MAX : -1;
    }
    if (!text || !isdigit((unsigned char)text[0])) {
        return -1;
    }
    errno = 0;
    seconds = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 ? seconds : -1;
}

static bool take_lifetime(struct cprof_token_answer *answer, int64_t seconds, const char *name,
                          struct cprof_error *error)
{
    if (seconds <= 0) {
        return cprof_fail(error, "its answer has an \"%s\" that is not in the future", name);
    }
    answer->lifetime_s = seconds < LIFETIME_S_MAX ? seconds : LIFETIME_S_MAX;
    return true;
}

static bool read_plain(struct cprof_token_answer *answer, const json_t *json,
                       struct cprof_error *error)
{
    const json_t *expires_in = json_object_get(json, "expires_in");
    const char *type = text_of(json, "token_type"), *refresh = text_of(json, "refresh_token");

    if (type[0] && strcasecmp(type, "Bearer") != 0) {
        return cprof_fail(error, "its answer has a \"token_type\" other than Bearer");
    }
    if (strlen(refresh) < sizeof(answer->refresh_token)) {
        memcpy(answer->refresh_token, refresh, strlen(refresh) + 1);
    }
    return take_token(answer, json, "access_token", error) &&
           take_lifetime(answer,
                         expires_in ? seconds_of(expires_in) : CPROF_TOKEN_LIFETIME_S_UNSAID,
                         "expires_in", error);
}

bool cprof_token_answer_read(struct cprof_token_answer *answer, const char *text, size_t text_bytes,
                             struct cprof_error *error)
{
    json_t *json = load_object(text, text_bytes);
    bool ok;

    *answer = (struct cprof_token_answer){0};
    if (!json) {
        return cprof_fail(error, "its answer is not a JSON object");
    }
    ok = read_plain(answer, json, error);
    json_decref(json);
    return ok;
}

/* RFC 3339 in UTC, "2026-11-22T14:25:38.123Z"; -1: it is not. */
static int64_t unix_time_of(const char *text)
{
    struct tm utc = {0};
    const char *at =
        isdigit((unsigned char)text[0]) ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;

    if (at && *at == '.') {
        at += 1 + strspn(at + 1, "0123456789");
    }
    return at && strcmp(at, "Z") == 0 ? (int64_t)timegm(&utc) : -1;
}

bool cprof_token_answer_read_impersonated(struct cprof_token_answer *answer, const char *text,
                                          size_t text_bytes, int64_t now_unix_s,
                                          struct cprof_error *error)
{
    json_t *json = load_object(text, text_bytes);
    int64_t expiry_unix_s;
    bool ok;

    *answer = (struct cprof_token_answer){0};
    if (!json) {
        return cprof_fail(error, "its answer is not a JSON object");
    }
    expiry_unix_s = unix_time_of(text_of(json, "expireTime"));
    if (expiry_unix_s < 0) {
        ok = cprof_fail(error, "its answer has no \"expireTime\" like 2026-01-31T23:59:59Z");
    } else {
        ok = take_token(answer, json, "accessToken", error) &&
             take_lifetime(answer, expiry_unix_s - now_unix_s, "expireTime", error);
    }
    json_decref(json);
    return ok;
}

static bool is_token_character(char c)
{
    return isalnum((unsigned char)c) || strchr("-_+/=.~", c);
}

/* The length of the run of token characters at `text`. */
static size_t token_run(const char *text)
{
    size_t length = 0;

    while (text[length] && is_token_character(text[length])) {
        length++;
    }
    return length;
}

/* Copies `length` characters, as many as find room; others than printable ASCII become '?'. */
static size_t append_printable(char *out, size_t used, size_t out_bytes, const char *text,
                               size_t length)
{
    for (size_t i = 0; i < length && used + 1 < out_bytes; i++) {
        out[used++] = '?';
        if (text[i] >= ' ' && text[i] <= '~') {
            out[used - 1] = text[i];
        }
    }
    out[used] = '\0';
    return used;
}

static void append_clean(char *out, size_t out_bytes, const char *text)
{
    size_t used = strlen(out);

    while (*text && used + 1 < out_bytes) {
        size_t run = token_run(text);

        if (run >= TOKEN_RUN_MIN) {
            used = append_printable(out, used, out_bytes, HIDDEN, sizeof(HIDDEN) - 1);
        } else {
            run = run ? run : 1;
            used = append_printable(out, used, out_bytes, text, run);
        }
        text += run;
    }
}

/* {"error": "invalid_grant", "error_description": "..."} of OAuth, or
 * {"error": {"status": "PERMISSION_DENIED", "message": "..."}} of Google's APIs. */
static void read_trouble(char trouble[CPROF_TOKEN_TROUBLE_BYTES], const json_t *json)
{
    const json_t *error = json_object_get(json, "error");
    const char *code = json_is_object(error) ? text_of(error, "status") : text_of(json, "error");
    const char *sentence =
        json_is_object(error) ? text_of(error, "message") : text_of(json, "error_description");

    append_clean(trouble, CPROF_TOKEN_TROUBLE_BYTES - 1, code);
    if (!sentence[0]) {
        return;
    }
    append_clean(trouble, CPROF_TOKEN_TROUBLE_BYTES - 1, code[0] ? " (" : "(");
    append_clean(trouble, CPROF_TOKEN_TROUBLE_BYTES - 1, sentence);
    append_clean(trouble, CPROF_TOKEN_TROUBLE_BYTES, ")");
}

void cprof_token_answer_trouble(char trouble[CPROF_TOKEN_TROUBLE_BYTES], const char *text,
                                size_t text_bytes)
{
    json_t *json = load_object(text, text_bytes);

    trouble[0] = '\0';
    if (json) {
        read_trouble(trouble, json);
    }
    json_decref(json);
}
