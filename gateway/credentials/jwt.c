/* jwt.c - see jwt.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jwt.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

#define RSA_BITS_MIN 2048 /* RFC 7518, 3.3 */
#define JSON_BYTES   8192 /* of a header or the claims: what a key file names is shorter */

struct cprof_jwt_key {
    EVP_PKEY *pkey;
};

/* OpenSSL calls it for encrypted keys. Without it, it would ask on the terminal of the server. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *read_pem(const char *pem, bool *encrypted)
{
    size_t bytes = strlen(pem);
    BIO *bio = bytes <= INT_MAX ? BIO_new_mem_buf(pem, (int)bytes) : NULL;
    EVP_PKEY *pkey = NULL;

    *encrypted = false;
    if (bio) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, encrypted);
        BIO_free(bio);
    }
    ERR_clear_error();
    return pkey;
}

static bool check_key(const EVP_PKEY *pkey, const char *path, struct cprof_error *error)
{
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
        const char *name = EVP_PKEY_get0_type_name(pkey);

        return cprof_fail(
            error,
            "key file %.200s: private_key is of the type %.20s; service accounts have "
            "RSA keys",
            path, name ? name : "unknown");
    }
    if (EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN) {
        return cprof_fail(error,
                          "key file %.200s: private_key is an RSA key of %d bits; %d are the least",
                          path, EVP_PKEY_get_bits(pkey), RSA_BITS_MIN);
    }
    return true;
}

struct cprof_jwt_key *cprof_jwt_key_read(const char *pem, const char *path,
                                         struct cprof_error *error)
{
    struct cprof_jwt_key *key;
    bool encrypted;
    EVP_PKEY *pkey = read_pem(pem, &encrypted);

    if (!pkey) {
        (void)cprof_fail(error,
                         encrypted ? "key file %.200s: private_key is encrypted with a passphrase; "
                                     "use the file as Google Cloud made it"
                                   : "key file %.200s: private_key holds no private key in PEM",
                         path);
        return NULL;
    }
    key = check_key(pkey, path, error) ? calloc(1, sizeof(*key)) : NULL;
    if (!key) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    key->pkey = pkey;
    return key;
}

void cprof_jwt_key_free(struct cprof_jwt_key *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

/* Appends bytes as base64url; text has room for 4 characters per 3 bytes and the NUL. */
static size_t append_base64url(char *text, const void *bytes, size_t byte_count)
{
    int length = EVP_EncodeBlock((unsigned char *)text, bytes, (int)byte_count);

    while (length > 0 && text[length - 1] == '=') {
        length--;
    }
    text[length] = '\0';
    for (int i = 0; i < length; i++) {
        if (text[i] == '+') {
            text[i] = '-';
        } else if (text[i] == '/') {
            text[i] = '_';
        }
    }
    return (size_t)length;
}

/* Appends the compact JSON of `json`, whose reference it takes; 0: it failed. */
static size_t append_json(char *text, json_t *json)
{
    char compact[JSON_BYTES];
    size_t bytes = json ? json_dumpb(json, compact, sizeof(compact), JSON_COMPACT) : 0;
    size_t length = 0;

    json_decref(json);
    if (bytes > 0 && bytes <= sizeof(compact)) {
        length = append_base64url(text, compact, bytes);
    }
    return length;
}

static json_t *header_json(const struct cprof_jwt_claims *claims)
{
    return json_pack("{s:s, s:s, s:s*}", "typ", "JWT", "alg", "RS256", "kid",
                     claims->key_id[0] ? claims->key_id : NULL);
}

static json_t *claims_json(const struct cprof_jwt_claims *claims)
{
    json_int_t issued = claims->issued_unix_s, expiry = issued + claims->lifetime_s;

    return json_pack("{s:I, s:I, s:s, s:s, s:s}", "iat", issued, "exp", expiry, "iss",
                     claims->issuer, "aud", claims->audience, "scope", claims->scope);
}

/* Appends ".SIGNATURE" of the first `length` characters. */
static bool append_signature(char *text, size_t length, EVP_PKEY *pkey, unsigned char *signature,
                             size_t signature_bytes)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestSign(context, signature, &signature_bytes, (const unsigned char *)text,
                             length) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (ok) {
        text[length] = '.';
        (void)append_base64url(text + length + 1, signature, signature_bytes);
    }
    return ok;
}

char *cprof_jwt_sign(const struct cprof_jwt_key *key, const struct cprof_jwt_claims *claims)
{
    size_t signature_bytes = (size_t)EVP_PKEY_get_size(key->pkey);
    unsigned char *signature = malloc(signature_bytes);
    char *text = calloc(1, 2 * (JSON_BYTES / 3 + 1) * 4 + (signature_bytes / 3 + 1) * 4 + 3);
    size_t header_length = text ? append_json(text, header_json(claims)) : 0;
    size_t claims_length = 0;
    bool ok = false;

    if (header_length > 0) {
        text[header_length] = '.';
        claims_length = append_json(text + header_length + 1, claims_json(claims));
    }
    if (claims_length > 0 && signature) {
        ok = append_signature(text, header_length + 1 + claims_length, key->pkey, signature,
                              signature_bytes);
    }
    free(signature);
    if (!ok) {
        cprof_secret_free(text);
        return NULL;
    }
    return text;
}
