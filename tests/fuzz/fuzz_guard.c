/* fuzz_guard.c - Host, Origin, Authorization and token of a request (gateway/web/guard.h). The
 * first byte says which there are and of whom they are asked; the texts follow, each ended by a
 * NUL. What passes must bear the token and come from nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../gateway/web/guard.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define TOKEN  "0123456789abcdef"
#define BEARER "bearer " TOKEN
#define SCHEME "http://"

enum {
    HAS_HOST = 1,
    HAS_ORIGIN = 2,
    HAS_AUTHORIZATION = 4,
    HAS_TOKEN = 8,
    PUBLIC = 16,
    LOCAL = 32
};

/* Cuts the next text off what is left. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;

    *at = text + strlen(text) + (text + strlen(text) < end);
    return text;
}

static bool bears_token(const struct cprof_guard_question *question)
{
    return (question->authorization && strcasecmp(question->authorization, BEARER) == 0) ||
           (question->token && strcmp(question->token, TOKEN) == 0);
}

static void check_passed(const struct cprof_guard *guard,
                         const struct cprof_guard_question *question)
{
    EXPECT(question->host);
    EXPECT(question->is_public || !guard->needs_token || bears_token(question));
    if (question->origin) {
        EXPECT(strlen(question->origin) == strlen(SCHEME) + strlen(question->host));
        EXPECT(strcasecmp(question->origin + strlen(SCHEME), question->host) == 0);
    }
    if (!guard->is_local && strncasecmp(question->host, "localhost", strlen("localhost")) != 0) {
        EXPECT(strspn(question->host, "0123456789abcdefABCDEF.:[]") == strlen(question->host));
    }
}

static void ask(const char *at, const char *end, unsigned what)
{
    const struct cprof_guard guard = {
        .token = TOKEN, .needs_token = !(what & LOCAL), .is_local = (what & LOCAL) != 0};
    struct cprof_guard_question question = {.is_public = (what & PUBLIC) != 0};
    const char *reason = NULL;
    unsigned status;

    question.host = what & HAS_HOST ? next_text(&at, end) : NULL;
    question.origin = what & HAS_ORIGIN ? next_text(&at, end) : NULL;
    question.authorization = what & HAS_AUTHORIZATION ? next_text(&at, end) : NULL;
    question.token = what & HAS_TOKEN ? next_text(&at, end) : NULL;
    status = cprof_guard_check(&guard, &question, &reason);
    if (status == 0) {
        check_passed(&guard, &question);
    } else {
        EXPECT(status >= 400 && status < 500 && reason);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);

    EXPECT(text);
    if (size > 0) {
        memcpy(text, data + 1, size - 1);
        ask(text, text + size - 1, data[0]);
    }
    free(text);
    return 0;
}
