/* key_search.h - where the key file is: the search order of Google's own libraries.
 *
 * Callers   the gateway's thread.
 * Order     cloudprofiler-credentials; GOOGLE_APPLICATION_CREDENTIALS; the well-known file that
 *           `gcloud auth application-default login` writes: application_default_credentials.json in
 *           $CLOUDSDK_CONFIG or ~/.config/gcloud.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_KEY_SEARCH_H
#define CPROF_KEY_SEARCH_H

#include <stdbool.h>

#include "../../shared/base/config.h"

/* Writes the path of the key file: `configured` or the variable's if one is not empty, whether
 * there is such a file or not; else the well-known file's. False: nobody named a file, and there
 * is no well-known one, or this process may not look there; its path, which may be empty, is
 * written all the same, for a message. */
bool cprof_key_search(char path[CPROF_PATH_BYTES], const char *configured);

#endif
