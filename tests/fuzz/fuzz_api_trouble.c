/* fuzz_api_trouble.c - answers of the API that are errors (gateway/cloud/api_trouble.h). Whatever
 * they say must be fit for one line of a log.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <string.h>

#include "../../gateway/cloud/api_trouble.h"
#include "../unit/expect.h"
#include "fuzz.h"

static bool is_one_line(const char *text)
{
    size_t length = strnlen(text, CPROF_API_TEXT_BYTES);

    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    return length < CPROF_API_TEXT_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_api_trouble trouble;

    memset(&trouble, 0xa5, sizeof(trouble));
    cprof_api_read_trouble(&trouble, (const char *)data, size);
    EXPECT(is_one_line(trouble.status));
    EXPECT(is_one_line(trouble.message));
    EXPECT(is_one_line(trouble.reason));
    return 0;
}
