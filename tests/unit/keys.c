/* keys.c - see keys.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "keys.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <string.h>

#include "expect.h"

static char *text_of(BIO *bio)
{
    char *data, *text;
    long bytes = BIO_get_mem_data(bio, &data);

    EXPECT(bytes > 0);
    text = strndup(data, (size_t)bytes);
    EXPECT(text);
    BIO_free(bio);
    return text;
}

char *keys_pem(EVP_PKEY *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());

    EXPECT(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_256_cbc() : NULL,
                                         passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL,
                                         NULL) == 1);
    return text_of(bio);
}

char *keys_public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    EXPECT(PEM_write_bio_PUBKEY(bio, key) == 1);
    return text_of(bio);
}
