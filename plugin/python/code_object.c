/* code_object.c - see code_object.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "code_object.h"

#include <string.h>

#define CODE_WORDS_MAX 32u

static uintptr_t word_at(const uint64_t *words, uint16_t offset)
{
    return (uintptr_t)words[offset / sizeof(uint64_t)];
}

static int32_t int_at(const uint64_t *words, uint16_t offset)
{
    int32_t value;

    memcpy(&value, (const char *)words + offset, sizeof(value));
    return value;
}

bool cprof_code_object_read(const struct cprof_python *python, enum cprof_peek_way way,
                            uintptr_t address, struct cprof_code_object *code)
{
    const struct cprof_python_layout *layout = &python->layout;
    uint64_t words[CODE_WORDS_MAX];
    uintptr_t line_table;

    if (layout->code_bytes > sizeof(words) ||
        !cprof_peek_words(way, words, address, layout->code_bytes / sizeof(uint64_t)) ||
        word_at(words, layout->object_type) != (uintptr_t)python->code_type) {
        return false;
    }
    line_table = word_at(words, layout->code_line_table);
    *code = (struct cprof_code_object){
        .name = word_at(words, layout->code_name),
        .qualified_name =
            layout->code_qualified_name ? word_at(words, layout->code_qualified_name) : 0,
        .file = word_at(words, layout->code_file),
        .line_table = line_table + layout->bytes_data,
        .line_table_bytes = cprof_peek_word(way, line_table + layout->bytes_size, 0),
        .first_line = int_at(words, layout->code_first_line),
        .first_traceable_byte = layout->code_first_traceable
                                    ? (uint32_t)int_at(words, layout->code_first_traceable) * 2
                                    : 0,
    };
    return true;
}
