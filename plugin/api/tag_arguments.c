/* tag_arguments.c - see tag_arguments.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tag_arguments.h"

#include <string.h>

#include "../tags/tag_values.h"
#include "python_calls.h"

static const struct cprof_python_calls *const python = &cprof_python_calls;

/* What every sample says by itself. */
static bool is_own_key(const char *key)
{
    return strcmp(key, "worker") == 0 || strcmp(key, "thread") == 0 || strcmp(key, "state") == 0 ||
           strcmp(key, "gil") == 0;
}

static bool has_accepted_characters(const char *key, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char each = key[i];

        if (!(each >= 'a' && each <= 'z') && !(each >= '0' && each <= '9') && each != '_' &&
            each != '.' && each != '-') {
            return false;
        }
    }
    return true;
}

/* The key's text, which lives as long as the object; NULL: an exception is set. */
static const char *text_of_key(PyObject *key, size_t *bytes)
{
    Py_ssize_t length;
    const char *text;

    if (!PyUnicode_Check(key)) {
        (void)python->raise(*python->type_error, "a tag's key must be str, not %.100s",
                            Py_TYPE(key)->tp_name);
        return NULL;
    }
    text = python->utf8(key, &length);
    if (!text) {
        return NULL;
    }
    *bytes = (size_t)length;
    if (*bytes == 0 || *bytes > CPROF_TAG_KEY_BYTES_MAX || !has_accepted_characters(text, *bytes)) {
        (void)python->raise(*python->value_error,
                            "tag key '%.80s': accepted are 1 to %u of a-z, 0-9, '_', '.' and '-'",
                            text, CPROF_TAG_KEY_BYTES_MAX);
        return NULL;
    }
    if (is_own_key(text)) {
        (void)python->raise(*python->value_error,
                            "tag key '%s': worker, thread, state and gil are the profiler's own",
                            text);
        return NULL;
    }
    return text;
}

/* The same of the value; the key is for messages. */
static const char *text_of_value(const char *key, PyObject *value, size_t *bytes)
{
    Py_ssize_t length;
    const char *text;

    if (!PyUnicode_Check(value)) {
        (void)python->raise(*python->type_error, "tag '%s': the value must be str, not %.100s", key,
                            Py_TYPE(value)->tp_name);
        return NULL;
    }
    text = python->utf8(value, &length);
    if (!text) {
        return NULL;
    }
    *bytes = (size_t)length;
    if (*bytes == 0 || *bytes > CPROF_TAG_VALUE_BYTES_MAX) {
        (void)python->raise(
            *python->value_error,
            "tag '%s': the value has %zd bytes of UTF-8; accepted are 1 to %u bytes", key, length,
            CPROF_TAG_VALUE_BYTES_MAX);
        return NULL;
    }
    return text;
}

bool cprof_tag_of_arguments(PyObject *key, PyObject *value, uint32_t *tag)
{
    size_t key_bytes, value_bytes;
    const char *key_text = text_of_key(key, &key_bytes), *value_text;
    uint32_t number;

    value_text = key_text ? text_of_value(key_text, value, &value_bytes) : NULL;
    *tag = CPROF_TAG_NONE;
    if (!value_text) {
        return false;
    }
    if (!cprof_tag_values_create()) {
        return true;
    }
    number = cprof_tag_key(key_text, key_bytes);
    if (number == CPROF_TAG_NO_KEY) {
        (void)python->raise(*python->value_error,
                            "tag key '%s': a server has at most %u different keys of tags",
                            key_text, CPROF_TAG_KEYS_MAX);
        return false;
    }
    *tag = cprof_tag_intern(number, value_text, value_bytes);
    return true;
}

bool cprof_tags_of_keywords(PyObject *keywords, struct cprof_tag_list *list)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    uint32_t given = 0, tag;

    *list = (struct cprof_tag_list){0};
    while (keywords && python->next_item(keywords, &position, &key, &value)) {
        if (!cprof_tag_of_arguments(key, value, &tag)) {
            return false;
        }
        cprof_tag_list_set(list, tag);
        given++;
    }
    if (given == 0) {
        (void)python->raise(*python->type_error, "tag() needs a tag, as in tag(route='/users')");
        return false;
    }
    return true;
}
