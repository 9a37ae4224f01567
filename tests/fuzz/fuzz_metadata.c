/* fuzz_metadata.c - answers of the metadata server (gateway/credentials/metadata_text.h). A name
 * that is taken must be fit for a URL, JSON and a log, be the answer's own end, and fit.
 *
 * The first byte says how much room there is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../../gateway/credentials/metadata_text.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

static void check_taken(const char *name, size_t room, const char *answer, size_t answer_bytes)
{
    size_t length = strnlen(name, room);

    EXPECT(length > 0 && length < room && length <= answer_bytes);
    EXPECT(strspn(name, NAME_CHARACTERS) == length);
    EXPECT(memcmp(name, answer + answer_bytes - length, length) == 0);
    EXPECT(length == answer_bytes || answer[answer_bytes - length - 1] == '/');
}

/* What can be said against the answer, found in another way. */
static bool is_no_name(const char *answer, size_t answer_bytes, size_t room)
{
    const char *slash = memrchr(answer, '/', answer_bytes);
    const char *start = slash ? slash + 1 : answer;
    size_t length = (size_t)(answer + answer_bytes - start);

    for (size_t i = 0; i < length; i++) {
        if (start[i] == '\0' || !strchr(NAME_CHARACTERS, start[i])) {
            return true;
        }
    }
    return length == 0 || length >= room;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *answer = (const char *)data + 1;
    size_t room, answer_bytes;
    char *name;

    if (size < 1) {
        return 0;
    }
    answer_bytes = size - 1;
    room = (size_t)data[0] + 1;
    /* Of that size and no more, so that a byte too many is seen. */
    name = malloc(room);
    EXPECT(name);
    name[0] = '\0';
    if (cprof_metadata_text_read(name, room, answer, answer_bytes)) {
        check_taken(name, room, answer, answer_bytes);
    } else {
        EXPECT(name[0] == '\0' && is_no_name(answer, answer_bytes, room));
    }
    free(name);
    return 0;
}
