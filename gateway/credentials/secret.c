/* secret.c - see secret.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secret.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../http/wiped_memory.h"

static const char hidden[] = {'[', '.', '.', '.', ']'};

/* So much of a secret in a row is no chance. */
#define QUOTED_BYTES 16u

void cprof_secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static size_t common_length(const char *left, const char *right)
{
    size_t length = 0;

    while (left[length] && left[length] == right[length]) {
        length++;
    }
    return length;
}

void cprof_secret_hide(char *text, const char *secret)
{
    size_t secret_bytes = strlen(secret);
    size_t enough = secret_bytes < QUOTED_BYTES ? secret_bytes : QUOTED_BYTES;

    if (secret_bytes < sizeof(hidden)) {
        return;
    }
    while (*text) {
        size_t quoted = common_length(text, secret);

        if (quoted < enough) {
            text++;
            continue;
        }
        memcpy(text, hidden, sizeof(hidden));
        memmove(text + sizeof(hidden), text + quoted, strlen(text + quoted) + 1);
        text += sizeof(hidden);
    }
}

void cprof_secret_guard_libraries(void)
{
    json_set_alloc_funcs(malloc, cprof_wiped_free);
    /* It works in a program that calls this first, and changes nothing in another. */
    (void)!cprof_wiped_guard_openssl();
}
