/* abi.c - see abi.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "abi.h"

#include <ctype.h>

#ifndef CPROF_UWSGI_HASH
#error "CPROF_UWSGI_HASH is defined by uwsgiplugin.py"
#endif

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

#define DEFINE_PREFIX "-DUWSGI_"
#define DEFINES_MAX   256

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    }
    return hash;
}

static size_t length_without_trailing_space(const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    return length;
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Hashes the defines, sorted and each once, a newline behind each. Writes into `flags`. */
static uint64_t hash_defines(uint64_t hash, char *flags)
{
    char *defines[DEFINES_MAX];
    size_t count = 0;
    char *rest = NULL;

    for (char *word = strtok_r(flags, " \t\n", &rest); word && count < DEFINES_MAX;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (strncmp(word, DEFINE_PREFIX, strlen(DEFINE_PREFIX)) == 0) {
            defines[count++] = word;
        }
    }
    qsort(defines, count, sizeof(defines[0]), compare_words);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(defines[i], defines[i - 1]) == 0) {
            continue;
        }
        hash = hash_bytes(hash, defines[i], strlen(defines[i]));
        hash = hash_bytes(hash, "\n", 1);
    }
    return hash;
}

bool cprof_abi_matches(struct cprof_error *error)
{
    char *header = uwsgi_get_dot_h();
    char *flags = uwsgi_get_cflags();
    uint64_t hash = 0;

    if (header && flags) {
        hash = hash_bytes(FNV_OFFSET, header, length_without_trailing_space(header));
        hash = hash_defines(hash, flags);
    }
    free(header);
    free(flags);
    if (hash != CPROF_UWSGI_HASH) {
        return cprof_fail(error, "built for another uWSGI than the one that runs: not profiling; "
                                 "rebuild with PYTHON=python3 uwsgi --build-plugin DIR");
    }
    return true;
}
