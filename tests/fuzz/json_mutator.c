/* json_mutator.c - changes JSON as a tree, so that most inputs pass the parser and reach what reads
 * its values. libFuzzer sees nothing of jansson, and would break the syntax with most changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define TEXT_BYTES_MAX 512

/* libFuzzer's, which its header would give. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static unsigned below(unsigned *seed, size_t bound)
{
    return (unsigned)((size_t)rand_r(seed) % bound);
}

/* The old text changed by libFuzzer, which knows what texts the code compares with. */
static json_t *changed_text(const json_t *old)
{
    char text[TEXT_BYTES_MAX] = "";
    size_t length = json_string_length(old);

    length = length < sizeof(text) ? length : sizeof(text);
    if (length > 0) {
        memcpy(text, json_string_value(old), length);
    }
    return json_stringn(text, LLVMFuzzerMutate((uint8_t *)text, length, sizeof(text)));
}

static json_t *other_value(const json_t *old, const json_t *root, unsigned *seed)
{
    json_t *value = NULL;

    switch (below(seed, 10)) {
    case 0:
        return json_null();
    case 1:
        return json_integer((json_int_t)1 << below(seed, 63));
    case 2:
        return json_real(-0.5);
    case 3:
        return json_array();
    case 4:
        return json_object();
    case 5:
        return json_deep_copy(root);
    case 6:
        return json_pack("[O]", old);
    default:
        value = changed_text(old);
        return value ? value : json_true(); /* it is no UTF-8 any more */
    }
}

static void change(json_t *parent, const json_t *root, unsigned *seed);

static void change_member(json_t *object, const json_t *root, unsigned *seed)
{
    void *member = json_object_iter(object);
    json_t *value, *name;

    for (unsigned i = below(seed, json_object_size(object)); i > 0; i--) {
        member = json_object_iter_next(object, member);
    }
    value = json_object_iter_value(member);
    if (below(seed, 3) > 0 && (json_is_object(value) || json_is_array(value))) {
        change(value, root, seed);
    } else if (below(seed, 8) == 0) {
        (void)json_object_del(object, json_object_iter_key(member));
    } else if (below(seed, 8) == 0) {
        name = changed_text(NULL);
        if (name) {
            (void)json_object_set_new(object, json_string_value(name), json_deep_copy(value));
        }
        json_decref(name);
    } else {
        (void)json_object_iter_set_new(object, member, other_value(value, root, seed));
    }
}

static void change_element(json_t *array, const json_t *root, unsigned *seed)
{
    size_t index = below(seed, json_array_size(array));
    json_t *value = json_array_get(array, index);

    if (below(seed, 3) > 0 && (json_is_object(value) || json_is_array(value))) {
        change(value, root, seed);
    } else if (below(seed, 4) == 0) {
        (void)json_array_append_new(array, json_deep_copy(value));
    } else if (below(seed, 8) == 0) {
        (void)json_array_remove(array, index);
    } else {
        (void)json_array_set_new(array, index, other_value(value, root, seed));
    }
}

static void change(json_t *parent, const json_t *root, unsigned *seed)
{
    if (json_object_size(parent) > 0) {
        change_member(parent, root, seed);
    } else if (json_array_size(parent) > 0) {
        change_element(parent, root, seed);
    } else if (json_is_object(parent)) {
        (void)json_object_set_new(parent, "name", json_string(""));
    } else {
        (void)json_array_append_new(parent, json_object());
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    json_t *root = json_loadb((const char *)data, size, 0, NULL);
    json_t *before = json_deep_copy(root);
    size_t length;

    if (!root || below(&seed, 8) == 0) {
        length = LLVMFuzzerMutate(data, size, max_size);
    } else {
        change(root, before, &seed);
        length = json_dumpb(root, (char *)data, max_size, JSON_COMPACT);
        length = length <= max_size ? length : size; /* the bytes are another input, then */
    }
    json_decref(before);
    json_decref(root);
    return length;
}
