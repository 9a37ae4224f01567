/* token_answer.h - what servers answer that were asked for a token: JSON, and no more.
 *
 * Callers   the gateway's thread. Pure: no socket, no clock, no log.
 * Trust     none: sizes are bounded, types checked; a token is put into a header, so that it may
 *           hold visible ASCII only. Unknown fields are passed over.
 * Source    RFC 6749 (token endpoints), RFC 8693 (token exchange), the IAM credentials API
 *           (generateAccessToken).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TOKEN_ANSWER_H
#define CPROF_TOKEN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

#define CPROF_TOKEN_BYTES             16384u /* tokens of workload identity federation are long */
#define CPROF_REFRESH_TOKEN_BYTES     4096u
#define CPROF_TOKEN_ANSWER_BYTES_MAX  65536u
#define CPROF_TOKEN_TROUBLE_BYTES     224u
#define CPROF_TOKEN_LIFETIME_S_UNSAID 3600 /* what all of Google's endpoints give */

struct cprof_token_answer {
    char token[CPROF_TOKEN_BYTES];
    char refresh_token[CPROF_REFRESH_TOKEN_BYTES]; /* a new one; empty: the old one holds */
    int64_t lifetime_s;                            /* from now; at most a day is believed */
};

/* Is this a token that may stand in a header: visible ASCII, neither empty nor too long? */
bool cprof_token_is_sound(const char *token);

/* Reads {"access_token", "expires_in", ...}. False with the error, which quotes nothing of the
 * answer. The caller wipes the answer. */
bool cprof_token_answer_read(struct cprof_token_answer *answer, const char *text, size_t text_bytes,
                             struct cprof_error *error) CPROF_MUST_USE;

/* The same of {"accessToken", "expireTime": RFC 3339}. now_unix_s: the server's present time. */
bool cprof_token_answer_read_impersonated(struct cprof_token_answer *answer, const char *text,
                                          size_t text_bytes, int64_t now_unix_s,
                                          struct cprof_error *error) CPROF_MUST_USE;

/* What an answer of status 400 and above says: "invalid_grant (Invalid JWT Signature.)" or
 * "PERMISSION_DENIED (...)". Printable ASCII, cut at its size; what looks like a token or a key is
 * replaced. Empty: nothing that could be read. */
void cprof_token_answer_trouble(char trouble[CPROF_TOKEN_TROUBLE_BYTES], const char *text,
                                size_t text_bytes);

#endif
