/* credentials.h - access tokens for the profiling API, from wherever the operator has put a key.
 *
 * Callers   the gateway's thread, on the loop. Never the master or a worker.
 * Search    a key file (key_search.h), then the metadata server. A file that was named and is
 *           missing is an error, no fall-through.
 * Kinds     service_account, authorized_user, external_account (file and URL sources, text and
 *           JSON, with and without impersonation), impersonated_service_account (key_file.h).
 * Files     read again when they change (device, inode, size, times), so that a rotated key works
 *           at the next token. At most 64 KiB.
 * Secrets   keys, assertions and tokens live here and in requests alone; they are wiped when done
 *           with (libraries' copies, too: cprof_secret_guard_libraries, which main calls), never
 *           logged and never in an error's text.
 * Trust     key files are the operator's, answers of servers are not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CREDENTIALS_H
#define CPROF_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/error.h"
#include "../http/client.h"
#include "../loop/loop.h"
#include "metadata.h"

struct cprof_token {
    const char *text;          /* borrowed for the callback */
    const char *quota_project; /* value for x-goog-user-project: GOOGLE_CLOUD_QUOTA_PROJECT, or
                                * what the key file names; empty: none */
};

struct cprof_credentials;

/* NULL without memory. path: cloudprofiler-credentials, may be empty. Client and metadata are
 * borrowed. Nothing is read or asked yet. */
struct cprof_credentials *cprof_credentials_create(struct cprof_http_client *client,
                                                   struct cprof_loop *loop,
                                                   struct cprof_metadata *metadata,
                                                   const char *path);
/* Cancels what is under way, without a callback. NULL does nothing. */
void cprof_credentials_destroy(struct cprof_credentials *credentials);

/* token: NULL with the error, which names the file or server and what to do, without a secret. The
 * callback may ask again, but not destroy. */
typedef void cprof_credentials_ready(void *context, const struct cprof_token *token,
                                     const struct cprof_error *error);

/* Gets a token that is good for at least some minutes: the present one, or a new one of the server
 * (asked up to three times on 5xx, 408, 429 and broken connections). If there is no new one to be
 * had, the present one is given for as long as it lives. `ready` is called once, at a later turn of
 * the loop. One question at a time. */
void cprof_credentials_get(struct cprof_credentials *credentials, cprof_credentials_ready *ready,
                           void *context);

/* The API refused the token (401): it is wiped, and the next get asks for a new one. */
void cprof_credentials_drop_token(struct cprof_credentials *credentials);

/* Takes the present token out of a text that a server wrote, in place: it may quote what it was
 * sent. */
void cprof_credentials_hide_token(const struct cprof_credentials *credentials, char *text);

/* The project that the key file names; empty: none, or there is no file that can be read. Reads the
 * file. Good until the next call of this room. error: why a file that is there cannot be used;
 * empty: none is there, or it can. */
const char *cprof_credentials_project(struct cprof_credentials *credentials,
                                      struct cprof_error *error);

/* By how many seconds this machine's clock is ahead of the last server that said its date, if that
 * is more than a minute; else 0. */
int64_t cprof_credentials_clock_skew_s(const struct cprof_credentials *credentials);

#endif
