/* jwt.h - a service account's key, and the assertions that it signs: JSON Web Tokens, RS256.
 *
 * Callers   the gateway's thread. Pure.
 * Memory    keys and assertions are malloc'd; private numbers are wiped by OpenSSL.
 * Source    RFC 7515 (JWS, base64url without padding), RFC 7518 (RS256), RFC 7523 (claims).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_JWT_H
#define CPROF_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"

struct cprof_jwt_key;

/* Reads an RSA private key in PEM. Never asks for a passphrase. NULL with the error, which names
 * `path`: no key, an encrypted one, one that is not RSA, one that is too small. */
struct cprof_jwt_key *cprof_jwt_key_read(const char *pem, const char *path,
                                         struct cprof_error *error) CPROF_MUST_USE;
void cprof_jwt_key_free(struct cprof_jwt_key *key);

struct cprof_jwt_claims {
    const char *issuer;
    const char *audience;
    const char *scope;
    const char *key_id; /* of the header; empty: left out */
    int64_t issued_unix_s;
    int64_t lifetime_s;
};

/* The signed assertion; free it with cprof_secret_free. NULL: no memory, or OpenSSL refused. */
char *cprof_jwt_sign(const struct cprof_jwt_key *key,
                     const struct cprof_jwt_claims *claims) CPROF_MUST_USE;

#endif
