/* secret.c - see secret.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "secret.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../http/wiped_memory.h"

void cprof_secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void cprof_secret_guard_libraries(void)
{
    json_set_alloc_funcs(malloc, cprof_wiped_free);
    /* It works in a program that calls this first, and changes nothing in another. */
    (void)!cprof_wiped_guard_openssl();
}
