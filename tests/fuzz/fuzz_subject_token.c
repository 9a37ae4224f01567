/* fuzz_subject_token.c - tokens of other identity providers, as text and as JSON
 * (gateway/credentials/subject_token.h). What is taken must have an end, and be something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/credentials/subject_token.h"
#include "../unit/expect.h"
#include "fuzz.h"

static void read(const uint8_t *data, size_t size, const char *field)
{
    static char token[CPROF_TOKEN_BYTES];
    struct cprof_error error = {0};

    if (cprof_subject_token_read(token, size > 0 ? (const char *)data : "", size, field, "origin",
                                 &error)) {
        EXPECT(token[0] != '\0' && strnlen(token, sizeof(token)) < sizeof(token));
    } else {
        EXPECT(strncmp(error.text, "origin", 6) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read(data, size, "");
    read(data, size, "access_token");
    return 0;
}
