/* abi.h - is the server that loaded us the one that we were built for?
 *
 * uWSGI checks nothing: a plugin of another build loads and reads garbage, because its structures
 * differ between versions and build flags. So both sides hash uwsgi.h and the -DUWSGI_* flags,
 * uwsgiplugin.py at build time and this room at load time.
 *
 * Callers   on_load, before any field of `uwsgi` is touched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_ABI_H
#define CPROF_ABI_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

/* False, with the line to print, if it is another uWSGI. */
bool cprof_abi_matches(struct cprof_error *error) CPROF_MUST_USE;

#endif
