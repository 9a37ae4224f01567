/* option_values.c - see option_values.h. The one file that may end the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "option_values.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../../shared/base/log.h"

#define ACCEPTED_BYTES 160
#define SHOWN_BYTES    120 /* of a value that is refused to an app */

void cprof_option_refuse(const char *option, const char *value, const char *accepted)
{
    cprof_log(CPROF_LOG_ERROR, CPROF_OPTION_REFUSAL, option, INT_MAX, value ? value : "", accepted);
    exit(EXIT_FAILURE);
}

void cprof_option_end_start(bool is_well)
{
    _exit(is_well ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool cprof_option_parse_number(const char *text, uint64_t lowest, uint64_t highest,
                               uint64_t *number)
{
    char *end;

    if (!text || !isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number >= lowest && *number <= highest;
}

static void say_accepted_number(const struct cprof_number_option *place, char text[ACCEPTED_BYTES])
{
    (void)snprintf(text, ACCEPTED_BYTES, "a whole number from %u to %u %s", place->lowest,
                   place->highest, place->unit);
}

void cprof_option_set_number(char *option, char *value, void *data)
{
    const struct cprof_number_option *place = data;
    uint64_t number;
    char accepted[ACCEPTED_BYTES];

    if (!cprof_option_parse_number(value, place->lowest, place->highest, &number)) {
        say_accepted_number(place, accepted);
        cprof_option_refuse(option, value, accepted);
    }
    *place->number = (uint32_t)number;
}

bool cprof_option_parse_flag(const char *text, bool *flag)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        bool is_yes = strcasecmp(text, yes[i]) == 0;

        if (is_yes || strcasecmp(text, no[i]) == 0) {
            *flag = is_yes;
            return true;
        }
    }
    return false;
}

void cprof_option_set_flag(char *option, char *value, void *data)
{
    bool flag = true;

    if (value && value[0] != '\0' && !cprof_option_parse_flag(value, &flag)) {
        cprof_option_refuse(option, value, CPROF_FLAG_ACCEPTED ", or nothing, which is true");
    }
    *(uint32_t *)data = flag;
}

bool cprof_option_accepts(const struct cprof_text_option *option, const char *text)
{
    regex_t pattern;
    bool matches;

    if (!text || text[0] == '\0' || strlen(text) >= option->text_bytes) {
        return false;
    }
    if (!option->pattern) {
        return true;
    }
    if (regcomp(&pattern, option->pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    matches = regexec(&pattern, text, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches;
}

bool cprof_option_is_tag_key(const char *text)
{
    size_t length = text ? strlen(text) : 0;

    return length >= 1 && length <= CPROF_TAG_KEY_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length;
}

bool cprof_option_is_own_tag(const char *text)
{
    static const char *const own[] = {"worker", "thread", "state", "gil",
                                      "method", "host",   "mount", "path"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(text, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void say_accepted_text(const struct cprof_text_option *place, char text[ACCEPTED_BYTES])
{
    if (place->accepted) {
        (void)snprintf(text, ACCEPTED_BYTES, "%s", place->accepted);
    } else {
        (void)snprintf(text, ACCEPTED_BYTES, "1 to %zu bytes of text", place->text_bytes - 1);
    }
}

void cprof_option_set_text(char *option, char *value, void *data)
{
    const struct cprof_text_option *place = data;
    char accepted[ACCEPTED_BYTES];

    if (!cprof_option_accepts(place, value)) {
        say_accepted_text(place, accepted);
        cprof_option_refuse(option, place->secret ? "[...]" : value, accepted);
    }
    (void)snprintf(place->text, place->text_bytes, "%s", value);
}

bool cprof_option_would_take(cprof_option_function *function, const void *data, const char *name,
                             const char *value, struct cprof_error *error)
{
    const struct cprof_number_option *number = data;
    const struct cprof_text_option *text = data;
    char accepted[ACCEPTED_BYTES] = CPROF_FLAG_ACCEPTED;
    uint64_t ignored;
    bool is_flag;

    if (function == cprof_option_set_number) {
        say_accepted_number(number, accepted);
        if (cprof_option_parse_number(value, number->lowest, number->highest, &ignored)) {
            return true;
        }
    } else if (function == cprof_option_set_text) {
        say_accepted_text(text, accepted);
        if (cprof_option_accepts(text, value)) {
            return true;
        }
    } else if (cprof_option_parse_flag(value, &is_flag)) {
        return true;
    }
    return cprof_fail(error, CPROF_OPTION_REFUSAL, name, SHOWN_BYTES, value, accepted);
}

void cprof_option_show(cprof_option_function *function, const void *data, char *text,
                       size_t text_bytes)
{
    if (function == cprof_option_set_number) {
        (void)snprintf(text, text_bytes, "%u", *((const struct cprof_number_option *)data)->number);
    } else if (function == cprof_option_set_text) {
        (void)snprintf(text, text_bytes, "%s", ((const struct cprof_text_option *)data)->text);
    } else {
        (void)snprintf(text, text_bytes, "%s", *(const uint32_t *)data ? "true" : "false");
    }
}
