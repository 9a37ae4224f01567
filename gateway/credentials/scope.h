/* scope.h - the OAuth scopes that tokens are asked for.
 *
 * Callers   the gateway's thread; constants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_SCOPE_H
#define CPROF_SCOPE_H

/* All that the profiling API wants; tokens can do no more than that. */
#define CPROF_SCOPE_PROFILING "https://www.googleapis.com/auth/monitoring.write"

/* For a first token that serves only to impersonate a service account. */
#define CPROF_SCOPE_IAM "https://www.googleapis.com/auth/iam"

#endif
