/* key_search.c - see key_search.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "key_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WELL_KNOWN_NAME "application_default_credentials.json"

/* Empty: no home is known, or the path is too long for one. */
static void well_known_path(char path[CPROF_PATH_BYTES])
{
    const char *config = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");
    int length = 0;

    if (config && config[0]) {
        length = snprintf(path, CPROF_PATH_BYTES, "%s/" WELL_KNOWN_NAME, config);
    } else if (home && home[0]) {
        length = snprintf(path, CPROF_PATH_BYTES, "%s/.config/gcloud/" WELL_KNOWN_NAME, home);
    }
    if (length <= 0 || length >= CPROF_PATH_BYTES) {
        path[0] = '\0';
    }
}

bool cprof_key_search(char path[CPROF_PATH_BYTES], const char *configured)
{
    const char *named = configured[0] ? configured : getenv("GOOGLE_APPLICATION_CREDENTIALS");

    if (named && named[0]) {
        (void)snprintf(path, CPROF_PATH_BYTES, "%s", named);
        return true;
    }
    well_known_path(path);
    return path[0] && access(path, F_OK) == 0;
}
