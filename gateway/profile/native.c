/* native.c - see native.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELETED " (deleted)"

struct cprof_native_mapping {
    uint32_t ref;
    uint32_t incarnation;
    uint64_t start, end, file_offset;
    uint64_t end_before; /* of the mappings before it of the same process, the highest end */
    bool is_asked;       /* `object` is known */
    const struct cprof_object *object;
};

static int compare_mappings(const void *left, const void *right)
{
    const struct cprof_native_mapping *a = left, *b = right;

    if (a->incarnation != b->incarnation) {
        return a->incarnation < b->incarnation ? -1 : 1;
    }
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    return (a->ref > b->ref) - (a->ref < b->ref);
}

/* The same bytes of the same file at the same place, in part at least. */
static bool agree(const struct cprof_native *native, const struct cprof_native_mapping *a,
                  const struct cprof_native_mapping *b)
{
    struct cprof_log_mapping first, second;

    if (a->incarnation != b->incarnation ||
        a->start - a->file_offset != b->start - b->file_offset) {
        return false;
    }
    cprof_log_mapping(native->view, a->ref, &first);
    cprof_log_mapping(native->view, b->ref, &second);
    return first.inode == second.inode && first.device_major == second.device_major &&
           first.device_minor == second.device_minor && strcmp(first.path, second.path) == 0;
}

/* Mappings that overlap and agree become one; of others it is noted that they overlap. */
static void unite(struct cprof_native *native)
{
    size_t kept = 0;

    for (size_t i = 0; i < native->mapping_count; i++) {
        struct cprof_native_mapping *next = &native->mappings[i];
        struct cprof_native_mapping *last = kept > 0 ? &native->mappings[kept - 1] : NULL;

        if (last && next->start < last->end && agree(native, last, next)) {
            last->end = next->end > last->end ? next->end : last->end;
            continue;
        }
        if (last && last->incarnation == next->incarnation) {
            next->end_before = last->end > last->end_before ? last->end : last->end_before;
        }
        native->mappings[kept++] = *next;
    }
    native->mapping_count = kept;
}

bool cprof_native_begin(struct cprof_native *native, const struct cprof_log_view *view,
                        struct cprof_symbols *symbols)
{
    *native = (struct cprof_native){.view = view, .symbols = symbols};
    native->mappings = calloc(view->mapping_count + 1, sizeof(*native->mappings));
    if (!native->mappings) {
        return false;
    }
    for (size_t i = 0; i < view->mapping_count; i++) {
        struct cprof_log_mapping mapping;

        cprof_log_mapping(view, view->mappings[i], &mapping);
        native->mappings[i] = (struct cprof_native_mapping){
            .ref = view->mappings[i],
            .incarnation = mapping.incarnation,
            .start = mapping.start,
            .end = mapping.end,
            .file_offset = mapping.file_offset,
        };
    }
    native->mapping_count = view->mapping_count;
    qsort(native->mappings, native->mapping_count, sizeof(*native->mappings), compare_mappings);
    unite(native);
    return true;
}

void cprof_native_reset(struct cprof_native *native)
{
    free(native->mappings);
    *native = (struct cprof_native){0};
}

/* The one mapping that holds the address; NULL: none does, or two that disagree. */
static struct cprof_native_mapping *find_mapping(struct cprof_native *native,
                                                 const struct cprof_log_leaf *leaf)
{
    size_t low = 0, high = native->mapping_count;
    struct cprof_native_mapping *found;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cprof_native_mapping *mapping = &native->mappings[middle];

        if (mapping->incarnation < leaf->incarnation ||
            (mapping->incarnation == leaf->incarnation && mapping->start <= leaf->pc)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    found = low > 0 ? &native->mappings[low - 1] : NULL;
    if (!found || found->incarnation != leaf->incarnation || leaf->pc >= found->end ||
        leaf->pc < found->end_before) {
        return NULL;
    }
    return found;
}

static bool is_deleted(const char *path)
{
    size_t bytes = strlen(path), end = strlen(DELETED);

    return bytes >= end && strcmp(path + bytes - end, DELETED) == 0;
}

static const struct cprof_object *object_of(struct cprof_native *native,
                                            struct cprof_native_mapping *mapping,
                                            const struct cprof_log_mapping *said)
{
    struct cprof_mapped_file file = {
        .path = said->path,
        .inode = said->inode,
        .device_major = said->device_major,
        .device_minor = said->device_minor,
    };

    if (!mapping->is_asked) {
        mapping->is_asked = true;
        if (native->symbols && said->path[0] == '/' && !is_deleted(said->path)) {
            mapping->object = cprof_symbols_of(native->symbols, &file);
        }
    }
    return mapping->object;
}

static uint32_t clean_text_of(struct cprof_table *table, const char *text)
{
    char clean[CPROF_CLEAN_TEXT_BYTES(CPROF_MAPPING_PATH_BYTES_MAX)];
    size_t bytes = strlen(text);

    bytes = bytes < CPROF_MAPPING_PATH_BYTES_MAX ? bytes : CPROF_MAPPING_PATH_BYTES_MAX;
    return cprof_table_text(table, clean, cprof_clean_text(clean, sizeof(clean), text, bytes));
}

/* "deflate [libz.so.1]". `library` may stand in brackets already, as what the kernel names does. */
static uint32_t function_of(struct cprof_table *table, const char *name, const char *library,
                            const char *path)
{
    char text[2 * CPROF_OBJECT_NAME_BYTES + CPROF_MAPPING_PATH_BYTES_MAX];
    bool is_bare = library[0] == '[';
    struct cprof_function function = {.file = clean_text_of(table, path)};

    (void)snprintf(text, sizeof(text), "%s%s%s%s%s", name, name[0] ? " " : "", is_bare ? "" : "[",
                   library, is_bare ? "" : "]");
    function.name = clean_text_of(table, text);
    function.system_name = name[0] ? clean_text_of(table, name) : function.name;
    return cprof_table_function(table, &function);
}

static uint32_t location_without_file(struct cprof_table *table, const char *name)
{
    struct cprof_location location = {.function = function_of(table, "", name, "")};

    return cprof_table_location(table, &location);
}

/* The last part of a path, without what the kernel adds where the file is gone. */
static void copy_file_name(char *name, size_t name_bytes, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash && slash[1] ? slash + 1 : path;
    size_t bytes = strlen(start) - (is_deleted(start) ? strlen(DELETED) : 0);

    (void)snprintf(name, name_bytes, "%.*s", (int)bytes, start);
}

/* Addresses are those of the file where it could be read, else offsets in it. */
static uint32_t location_in_file(struct cprof_table *table, const struct cprof_log_leaf *leaf,
                                 const struct cprof_native_mapping *mapping,
                                 const struct cprof_log_mapping *said)
{
    const struct cprof_object *object = mapping->object;
    uint64_t file_address = leaf->pc - mapping->start + mapping->file_offset;
    uint64_t first = mapping->file_offset;
    struct cprof_object_function function = {.name = ""};
    struct cprof_mapping to = {.file_offset = mapping->file_offset};
    struct cprof_location location = {0};
    char library[CPROF_OBJECT_NAME_BYTES];

    copy_file_name(library, sizeof(library), said->path);
    if (object && cprof_object_address(object, file_address, &file_address)) {
        first = file_address - (leaf->pc - mapping->start);
        (void)cprof_object_function(object, file_address, &function);
        to.build_id = clean_text_of(table, object->build_id);
        if (object->name[0] != '\0') {
            (void)snprintf(library, sizeof(library), "%s", object->name);
        }
    }
    to.start = first;
    to.limit = cprof_saturating_add(first, mapping->end - mapping->start);
    to.file = clean_text_of(table, said->path);
    location.function = function_of(table, function.name, library, said->path);
    location.mapping = cprof_table_mapping(table, &to);
    location.address = function.name[0] ? function.address : first;
    return cprof_table_location(table, &location);
}

uint32_t cprof_native_location(struct cprof_native *native, struct cprof_table *table,
                               const struct cprof_log_leaf *leaf)
{
    struct cprof_native_mapping *mapping = find_mapping(native, leaf);
    struct cprof_log_mapping said;

    if (!mapping) {
        return location_without_file(table, "[unknown]");
    }
    cprof_log_mapping(native->view, mapping->ref, &said);
    if (said.path[0] == '\0') {
        return location_without_file(table, "[anonymous memory]");
    }
    if (said.path[0] == '[') {
        return location_without_file(table, said.path);
    }
    (void)object_of(native, mapping, &said);
    return location_in_file(table, leaf, mapping, &said);
}
