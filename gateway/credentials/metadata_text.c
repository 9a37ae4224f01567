/* metadata_text.c - see metadata_text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "metadata_text.h"

#include <string.h>

/* isalnum would follow the locale. */
static bool is_of_a_name(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '_' ||
           character == '.' || character == ':';
}

bool cprof_metadata_text_read(char *name, size_t name_bytes, const char *answer,
                              size_t answer_bytes)
{
    size_t start = answer_bytes;

    while (start > 0 && answer[start - 1] != '/') {
        if (!is_of_a_name(answer[start - 1])) {
            return false;
        }
        start--;
    }
    if (start == answer_bytes || answer_bytes - start >= name_bytes) {
        return false;
    }
    memcpy(name, answer + start, answer_bytes - start);
    name[answer_bytes - start] = '\0';
    return true;
}
