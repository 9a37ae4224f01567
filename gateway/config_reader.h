/* config_reader.h - takes the configuration out of the memory file that the master sealed.
 *
 * Callers   the gateway's start, once.
 * Trust     the file must be sealed against every change: it then is what the master wrote.
 *           It is checked all the same, because the plugin may be of another build.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CONFIG_READER_H
#define CPROF_CONFIG_READER_H

#include <stdbool.h>

#include "../shared/base/attributes.h"
#include "../shared/base/config.h"
#include "../shared/base/error.h"

/* Fills *config from descriptor `fd`, which stays the caller's. The error names what is wrong, for
 * good. */
bool cprof_config_read(struct cprof_config *config, int fd,
                       struct cprof_error *error) CPROF_MUST_USE;

#endif
