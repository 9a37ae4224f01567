/* fake_python.c - see fake_python.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fake_python.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../../shared/segment/layout.h"
#include "expect.h"

#define TEXT_BYTES 128u

struct fake_string {
    uint64_t references;
    const void *type;
    uint64_t length;
    uint64_t state;
    char text[TEXT_BYTES];
};

struct fake_bytes {
    uint64_t references;
    const void *type;
    uint64_t size;
    uint8_t data[];
};

_Static_assert(sizeof(struct fake_bytes) == FAKE_BYTES_HEAD_BYTES, "the head's size");

struct fake_code_object {
    uint64_t references;
    const void *type;
    const struct fake_bytes *line_table;
    const struct fake_string *file;
    const struct fake_string *name;
    const struct fake_string *qualified_name;
    int32_t first_line;
    int32_t first_traceable;
    uint8_t bytecode[64];

    struct fake_string texts[3];
    struct fake_bytes *own_line_table;
};

/* Its address is all that is asked of it. */
static const uint64_t code_type = 1;

const struct cprof_python fake_python = {
    .layout =
        {
            .line_format = CPROF_LINES_TABLE_311,
            .code_bytes = offsetof(struct fake_code_object, bytecode),
            .code_name = offsetof(struct fake_code_object, name),
            .code_qualified_name = offsetof(struct fake_code_object, qualified_name),
            .code_file = offsetof(struct fake_code_object, file),
            .code_first_line = offsetof(struct fake_code_object, first_line),
            .code_line_table = offsetof(struct fake_code_object, line_table),
            .code_first_traceable = offsetof(struct fake_code_object, first_traceable),
            .code_bytecode = offsetof(struct fake_code_object, bytecode),
            .object_type = offsetof(struct fake_code_object, type),
            .bytes_size = offsetof(struct fake_bytes, size),
            .bytes_data = offsetof(struct fake_bytes, data),
            .unicode_length = offsetof(struct fake_string, length),
            .unicode_state = offsetof(struct fake_string, state),
            .unicode_ascii_data = offsetof(struct fake_string, text),
            .unicode_compact_data = offsetof(struct fake_string, text),
        },
    .code_type = (void *)(uintptr_t)&code_type,
};

static void set_text(struct fake_string *string, const char *format, const char *name)
{
    int bytes = snprintf(string->text, sizeof(string->text), format, name);

    EXPECT(bytes >= 0 && (size_t)bytes < sizeof(string->text));
    string->length = (uint64_t)bytes;
    string->state = 1u << 2 | 1u << 5 | 1u << 6; /* one byte a character, compact, ASCII */
}

uint8_t fake_line_byte(uint32_t index)
{
    return (uint8_t)(index * 7 + index / 251);
}

struct fake_code_object *fake_code_object_create(const char *name, int32_t first_line,
                                                 uint32_t line_table_bytes)
{
    struct fake_code_object *object = calloc(1, sizeof(*object));
    struct fake_bytes *table = calloc(1, sizeof(*table) + line_table_bytes);

    EXPECT(object && table && line_table_bytes <= FAKE_LINE_TABLE_BYTES_MAX);
    table->size = line_table_bytes;
    for (uint32_t i = 0; i < line_table_bytes; i++) {
        table->data[i] = fake_line_byte(i);
    }
    *object = (struct fake_code_object){
        .references = 1000,
        .type = &code_type,
        .line_table = table,
        .own_line_table = table,
        .name = &object->texts[0],
        .qualified_name = &object->texts[1],
        .file = &object->texts[2],
        .first_line = first_line,
        .first_traceable = FAKE_FIRST_TRACEABLE_BYTE / 2,
    };
    fake_code_object_rename(object, name);
    return object;
}

void fake_code_object_free(struct fake_code_object *object)
{
    free(object->own_line_table);
    free(object);
}

void fake_code_object_rename(struct fake_code_object *object, const char *name)
{
    set_text(&object->texts[0], "%s", name);
    set_text(&object->texts[1], "Fake.%s", name);
    set_text(&object->texts[2], "/fake/%s.py", name);
}

void fake_code_object_set_line_table(struct fake_code_object *object, void *where, uint64_t bytes)
{
    struct fake_bytes *head = where;

    *head = (struct fake_bytes){.size = bytes};
    object->line_table = head;
}

void fake_code_object_spoil(struct fake_code_object *object)
{
    object->type = NULL;
}

uintptr_t fake_code_address(const struct fake_code_object *object)
{
    return (uintptr_t)object;
}
