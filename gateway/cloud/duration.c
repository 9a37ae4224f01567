/* duration.c - see duration.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "duration.h"

#include <stddef.h>
#include <string.h>

#include "../../shared/base/units.h"

#define FRACTION_DIGITS 9

/* strtod would read in the program's locale, and round. */
struct number {
    uint64_t whole;
    uint64_t billionths;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_fraction(const char **cursor, struct number *number)
{
    unsigned digits = 0;

    for (; is_digit(**cursor); ++*cursor, digits++) {
        if (digits == FRACTION_DIGITS) {
            return false;
        }
        number->billionths = number->billionths * 10 + (uint64_t)(**cursor - '0');
    }
    for (unsigned i = digits; i < FRACTION_DIGITS; i++) {
        number->billionths *= 10;
    }
    return digits > 0;
}

/* Reads "12" or "12.5" and moves the cursor behind it. */
static bool read_number(const char **cursor, struct number *number)
{
    const char *start = *cursor;

    *number = (struct number){0};
    for (; is_digit(**cursor); ++*cursor) {
        if (__builtin_mul_overflow(number->whole, 10, &number->whole) ||
            __builtin_add_overflow(number->whole, (uint64_t)(**cursor - '0'), &number->whole)) {
            return false;
        }
    }
    if (*cursor == start) {
        return false;
    }
    if (**cursor != '.') {
        return true;
    }
    ++*cursor;
    return read_fraction(cursor, number);
}

/* Adds number times unit_ns; the unit is at most an hour, so that billionths of it fit. */
static bool add(uint64_t *total_ns, const struct number *number, uint64_t unit_ns)
{
    uint64_t whole_ns, fraction_ns = number->billionths * (unit_ns / 1000) / 1000000;

    return !__builtin_mul_overflow(number->whole, unit_ns, &whole_ns) &&
           !__builtin_add_overflow(*total_ns, whole_ns, total_ns) &&
           !__builtin_add_overflow(*total_ns, fraction_ns, total_ns);
}

bool cprof_api_duration(const char *text, uint64_t *duration_ns)
{
    struct number seconds;
    uint64_t total_ns = 0;

    if (!read_number(&text, &seconds) || strcmp(text, "s") != 0 ||
        !add(&total_ns, &seconds, NS_PER_S)) {
        return false;
    }
    *duration_ns = total_ns;
    return true;
}

/* The unit at the cursor in ns, 0 if there is none; moves the cursor behind it. */
static uint64_t read_unit(const char **cursor)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ms", NS_PER_S / 1000}, /* before "m" */
        {"h", 3600 * NS_PER_S},
        {"m", 60 * NS_PER_S},
        {"s", NS_PER_S},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        size_t length = strlen(units[i].name);

        if (strncmp(*cursor, units[i].name, length) == 0) {
            *cursor += length;
            return units[i].ns;
        }
    }
    return 0;
}

static bool read_parts(const char *cursor, uint64_t *total_ns)
{
    uint64_t sum_ns = 0;

    do {
        struct number number;
        uint64_t unit_ns;

        if (!read_number(&cursor, &number)) {
            return false;
        }
        unit_ns = read_unit(&cursor);
        if (unit_ns == 0 || !add(&sum_ns, &number, unit_ns)) {
            return false;
        }
    } while (is_digit(*cursor));
    if (is_alphanumeric(*cursor)) {
        return false; /* "10seconds", or a unit that is not known */
    }
    *total_ns = sum_ns;
    return true;
}

bool cprof_api_backoff_in(const char *sentence, uint64_t *delay_ns)
{
    static const char words[] = "backoff for ";
    const char *found = strstr(sentence, words);

    return found && read_parts(found + sizeof(words) - 1, delay_ns);
}
