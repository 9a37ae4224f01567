/* fuzz_token_answer.c - answers of token endpoints, of token exchange and of impersonation, good
 * and bad (gateway/credentials/token_answer.h). A token that is taken must be fit for a header.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/credentials/token_answer.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define NOW_UNIX_S INT64_C(1790000000)
#define DAY_S      (24 * 3600)

static bool is_visible_ascii(const char *text, size_t text_bytes)
{
    size_t length = strnlen(text, text_bytes);

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < text_bytes;
}

static void check(bool ok, const struct cprof_token_answer *answer, const struct cprof_error *error)
{
    if (!ok) {
        EXPECT(error->text[0] != '\0');
        return;
    }
    EXPECT(is_visible_ascii(answer->token, sizeof(answer->token)));
    EXPECT(cprof_token_is_sound(answer->token));
    EXPECT(answer->lifetime_s >= 0 && answer->lifetime_s <= DAY_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";
    char trouble[CPROF_TOKEN_TROUBLE_BYTES];
    struct cprof_token_answer answer;
    struct cprof_error error = {0};

    check(cprof_token_answer_read(&answer, text, size, &error), &answer, &error);
    error.text[0] = '\0';
    check(cprof_token_answer_read_impersonated(&answer, text, size, NOW_UNIX_S, &error), &answer,
          &error);
    cprof_token_answer_trouble(trouble, text, size);
    EXPECT(strnlen(trouble, sizeof(trouble)) < sizeof(trouble) && !strpbrk(trouble, "\r\n\033"));
    return 0;
}
