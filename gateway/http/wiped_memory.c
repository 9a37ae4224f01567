/* wiped_memory.c - see wiped_memory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wiped_memory.h"

#include <curl/curl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void cprof_wiped_free(void *memory)
{
    if (memory) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

/* realloc itself would leave the old block as it is when it moves. */
static void *wiped_realloc(void *memory, size_t bytes)
{
    size_t old_bytes = memory ? malloc_usable_size(memory) : 0;
    void *moved = NULL;

    if (bytes > 0 && bytes <= old_bytes) {
        return memory;
    }
    if (bytes > 0) {
        moved = malloc(bytes);
        if (!moved) {
            return NULL; /* the old block stays the caller's */
        }
    }
    if (moved && memory) {
        memcpy(moved, memory, old_bytes);
    }
    cprof_wiped_free(memory);
    return moved;
}

bool cprof_wiped_start_libcurl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, cprof_wiped_free, wiped_realloc,
                                strdup, calloc) == CURLE_OK;
}

/* OpenSSL says where in its code it asks. */
static void *openssl_malloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(bytes);
}

static void *openssl_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return wiped_realloc(memory, bytes);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    cprof_wiped_free(memory);
}

bool cprof_wiped_guard_openssl(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}
