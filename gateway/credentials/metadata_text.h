/* metadata_text.h - what of the metadata server's answer is taken as a name.
 *
 * Callers   any thread; no state, no memory.
 * Trust     none: other clouds have their own servers at this address, and what is taken goes into
 *           URLs, JSON and logs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_METADATA_TEXT_H
#define CPROF_METADATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "../../shared/base/attributes.h"

/* Fills `name` with what stands behind the last '/' of the answer ("projects/1/zones/us-west1-a");
 * an answer without '/' is taken whole. False, and `name` is as it was: that is empty, has other
 * characters than those of names of projects, zones and machines (ASCII letters, digits, "-_.:"),
 * or needs more than name_bytes with its end. `answer` may be NULL when answer_bytes is 0. */
bool cprof_metadata_text_read(char *name, size_t name_bytes, const char *answer,
                              size_t answer_bytes) CPROF_MUST_USE;

#endif
