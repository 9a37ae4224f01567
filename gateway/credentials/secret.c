/* secret.c - see secret.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secret.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void cprof_secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void wipe_and_free(void *memory)
{
    if (memory) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

void cprof_secret_guard_json(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}
