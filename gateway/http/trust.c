/* trust.c - see trust.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trust.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define HASH_DIGITS 8u

/* Names that are looked at before a directory is taken for one without certificates. */
#define NAMES_MAX 4096u

/* "5ed36f99.0": how OpenSSL finds a certificate by its subject (openssl-rehash(1)). */
static bool is_hash_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == HASH_DIGITS && name[HASH_DIGITS] == '.' &&
           name[HASH_DIGITS + 1] >= '0' && name[HASH_DIGITS + 1] <= '9';
}

static bool is_hashed_directory(const char *path)
{
    DIR *names = opendir(path);
    bool found = false;

    if (!names) {
        return false;
    }
    for (unsigned i = 0; i < NAMES_MAX && !found; i++) {
        struct dirent *entry = readdir(names);

        if (!entry) {
            break;
        }
        found = is_hash_name(entry->d_name);
    }
    (void)closedir(names);
    return found;
}

struct cprof_http_trust cprof_http_trust_choose(const char *user_file, const char *system_file,
                                                const char *system_directory)
{
    if (user_file && user_file[0]) {
        return (struct cprof_http_trust){.file = user_file};
    }
    if (system_directory && system_directory[0] && is_hashed_directory(system_directory)) {
        return (struct cprof_http_trust){.directory = system_directory};
    }
    return (struct cprof_http_trust){.file = system_file ? system_file : ""};
}
