/* send_profile.h - answers with a profile in the format, and with the samples, that were asked for.
 *
 * A large one takes long to convert: the side thread for conversions does that, from a copy. The
 * request waits meanwhile.
 *
 * Callers   the gateway's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_WEB_SEND_PROFILE_H
#define CPROF_WEB_SEND_PROFILE_H

#include "../profile/convert.h"
#include "query.h"
#include "site.h"

/* Answers, now or later. The profile is borrowed for the call; file_name is for the browser's
 * download. */
void cprof_web_send_profile(const struct cprof_web_site *site, struct cprof_web_request *request,
                            const struct cprof_profile_bytes *profile,
                            const struct cprof_web_query *query, const char *file_name);

#endif
