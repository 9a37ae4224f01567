/* option_values.h - functions that take one option's value, and the refusal of a bad one.
 *
 * Callers   uWSGI's parser of options: the master or the only process, before any fork. Signatures
 *           are uWSGI's (struct uwsgi_option.func).
 * Refusal   one line with option, value and what is accepted, then exit status 1, as uWSGI's own
 *           options do. This room alone ends the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OPTION_VALUES_H
#define CPROF_OPTION_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

/* What a refusal says: option, value, what is accepted. */
#define CPROF_OPTION_REFUSAL "%s: \"%.*s\" is not accepted; give %s"

/* Says what is wrong and ends the start. */
__attribute__((noreturn)) void cprof_option_refuse(const char *option, const char *value,
                                                   const char *accepted);

/* Ends the start because an option asked for no more than a look: status 0 if all is well, else 1.
 * At once: no function that was registered with atexit is called. */
__attribute__((noreturn)) void cprof_option_end_start(bool is_well);

/* An unsigned decimal number and nothing else. */
bool cprof_option_parse_number(const char *text, uint64_t lowest, uint64_t highest,
                               uint64_t *number);

/* data: where a whole number goes, and its bounds. */
struct cprof_number_option {
    uint32_t *number;
    uint32_t lowest;
    uint32_t highest;
    const char *unit;
};
void cprof_option_set_number(char *option, char *value, void *data);

/* How people write a flag: JSON's true arrives as "1", YAML's and XML's values as they stand there.
 * False: the text is none of these, in small or capital letters, and `flag` is left alone. */
#define CPROF_FLAG_ACCEPTED "true, yes, on, 1, or false, no, off, 0"
bool cprof_option_parse_flag(const char *text, bool *flag);

/* data: uint32_t, becomes 0 or 1. No value means 1. */
void cprof_option_set_flag(char *option, char *value, void *data);

/* data: where a text goes. pattern: an extended regular expression, or NULL for any text that
 * fits; accepted says in words what it asks for. secret: no part of a refused value is logged. */
struct cprof_text_option {
    char *text;
    size_t text_bytes;
    const char *pattern;
    const char *accepted;
    bool secret;
};
void cprof_option_set_text(char *option, char *value, void *data);

/* One of cprof_option_set_number, _flag and _text. */
typedef void cprof_option_function(char *option, char *value, void *data);

/* Whether the function would take the value. If not, the error is what its refusal says, with
 * `name` for the option; of the value it shows the beginning. */
bool cprof_option_would_take(cprof_option_function *function, const void *data, const char *name,
                             const char *value, struct cprof_error *error) CPROF_MUST_USE;

/* What the function has set, as a value that it would take; "" where a text is not set. */
void cprof_option_show(cprof_option_function *function, const void *data, char *text,
                       size_t text_bytes);

#define CPROF_TAG_KEY_BYTES 64u
#define CPROF_TAG_KEY_ACCEPTED                                                                     \
    "1 to 64 of a-z 0-9 _ . - that is none of worker, thread, state, gil, method, host, mount, "   \
    "path"

/* Is this 1 to 64 of a-z 0-9 _ . - ? And is it the name of a tag that the profiler sets? */
bool cprof_option_is_tag_key(const char *text);
bool cprof_option_is_own_tag(const char *text);

/* Does `text` fit into the place and match its pattern? */
bool cprof_option_accepts(const struct cprof_text_option *option, const char *text);

#endif
