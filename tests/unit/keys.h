/* keys.h - private keys made for a test, as PEM.
 *
 * Names: a test that uses it says `sources: tests/unit/keys.c` at its top.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_TEST_KEYS_H
#define CPROF_TEST_KEYS_H

#include <openssl/evp.h>

/* The key in PKCS#8 as malloc'd text; passphrase NULL: not encrypted. */
char *keys_pem(EVP_PKEY *key, const char *passphrase);

/* The public key alone. */
char *keys_public_pem(EVP_PKEY *key);

#endif
