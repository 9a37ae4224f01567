/* test_jwt.c - see gateway/credentials/jwt.h.
 *
 * sources: tests/unit/keys.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "../../gateway/credentials/jwt.h"
#include "../../gateway/credentials/secret.h"
#include "expect.h"
#include "keys.h"

static EVP_PKEY *rsa;

static const struct cprof_jwt_claims claims = {
    .issuer = "agent@lab.iam.gserviceaccount.com",
    .audience = "https://oauth2.googleapis.com/token",
    .scope = "https://www.googleapis.com/auth/monitoring.write",
    .key_id = "0123abcd",
    .issued_unix_s = 1795353937,
    .lifetime_s = 3600,
};

static struct cprof_jwt_key *read_key(EVP_PKEY *pkey)
{
    struct cprof_error error;
    char *pem = keys_pem(pkey, NULL);
    struct cprof_jwt_key *key = cprof_jwt_key_read(pem, "/key.json", &error);

    EXPECT(key);
    free(pem);
    return key;
}

/* Decodes base64url without padding; returns the number of bytes. */
static size_t decode(unsigned char *out, size_t out_bytes, const char *text, size_t length)
{
    char padded[16384];
    int bytes;

    EXPECT(length + 4 < sizeof(padded) && length / 4 * 3 + 3 < out_bytes);
    for (size_t i = 0; i < length; i++) {
        EXPECT(text[i] != '+' && text[i] != '/' && text[i] != '=');
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    }
    memset(padded + length, '=', (4 - length % 4) % 4);
    bytes = EVP_DecodeBlock(out, (unsigned char *)padded, (int)(length + (4 - length % 4) % 4));
    EXPECT(bytes >= 0);
    out[(size_t)bytes - (4 - length % 4) % 4] = '\0';
    return (size_t)bytes - (4 - length % 4) % 4;
}

static json_t *decode_json(const char *text, size_t length)
{
    unsigned char bytes[16384];
    size_t count = decode(bytes, sizeof(bytes), text, length);
    json_t *json = json_loadb((const char *)bytes, count, 0, NULL);

    EXPECT(json);
    return json;
}

static void expect_text(const json_t *json, const char *name, const char *wanted)
{
    EXPECT(strcmp(json_string_value(json_object_get(json, name)), wanted) == 0);
}

static bool verifies(const char *token, EVP_PKEY *pkey)
{
    const char *last_dot = strrchr(token, '.');
    unsigned char signature[1024];
    size_t bytes = decode(signature, sizeof(signature), last_dot + 1, strlen(last_dot + 1));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestVerify(context, signature, bytes, (const unsigned char *)token,
                               (size_t)(last_dot - token)) == 1;

    EVP_MD_CTX_free(context);
    return ok;
}

static void an_assertion_says_who_asks_for_what(void)
{
    struct cprof_jwt_key *key = read_key(rsa);
    char *token = cprof_jwt_sign(key, &claims);
    const char *dot = strchr(token, '.');
    json_t *header = decode_json(token, (size_t)(dot - token));
    json_t *payload = decode_json(dot + 1, strcspn(dot + 1, "."));

    expect_text(header, "alg", "RS256");
    expect_text(header, "typ", "JWT");
    expect_text(header, "kid", "0123abcd");
    expect_text(payload, "iss", claims.issuer);
    expect_text(payload, "aud", claims.audience);
    expect_text(payload, "scope", claims.scope);
    EXPECT(json_integer_value(json_object_get(payload, "iat")) == 1795353937);
    EXPECT(json_integer_value(json_object_get(payload, "exp")) == 1795357537);
    EXPECT(json_object_size(payload) == 5);
    json_decref(header);
    json_decref(payload);
    cprof_secret_free(token);
    cprof_jwt_key_free(key);
}

static void the_public_key_verifies_the_assertion_and_no_other(void)
{
    EVP_PKEY *other = EVP_RSA_gen(2048);
    struct cprof_jwt_key *key = read_key(rsa);

    /* Of many lengths, so that each rest of base64 occurs. */
    for (size_t cut = 0; cut < 6; cut++) {
        struct cprof_jwt_claims shorter = claims;
        char *token;

        shorter.issuer = claims.issuer + cut;
        token = cprof_jwt_sign(key, &shorter);
        EXPECT(token && verifies(token, rsa));
        EXPECT(!verifies(token, other));
        token[10] = token[10] == 'A' ? 'B' : 'A';
        EXPECT(!verifies(token, rsa));
        cprof_secret_free(token);
    }
    cprof_jwt_key_free(key);
    EVP_PKEY_free(other);
}

static void a_key_without_an_id_leaves_it_out(void)
{
    struct cprof_jwt_key *key = read_key(rsa);
    struct cprof_jwt_claims nameless = claims;
    char *token;
    json_t *header;

    nameless.key_id = "";
    token = cprof_jwt_sign(key, &nameless);
    header = decode_json(token, strcspn(token, "."));
    EXPECT(json_object_size(header) == 2);
    json_decref(header);
    cprof_secret_free(token);
    cprof_jwt_key_free(key);
}

static void claims_that_are_too_long_give_no_assertion(void)
{
    static char longest[20000];
    struct cprof_jwt_key *key = read_key(rsa);
    struct cprof_jwt_claims endless = claims;

    memset(longest, 'a', sizeof(longest) - 1);
    endless.issuer = longest;
    EXPECT(!cprof_jwt_sign(key, &endless));
    cprof_jwt_key_free(key);
}

static void refused(const char *pem, const char *reason)
{
    struct cprof_error error;

    EXPECT(!cprof_jwt_key_read(pem, "/key.json", &error));
    (void)fprintf(stderr, "  %s\n", error.text);
    EXPECT(strstr(error.text, "/key.json") && strstr(error.text, reason));
}

static void keys_of_no_use_are_refused_by_their_kind(void)
{
    EVP_PKEY *curve = EVP_EC_gen("P-256"), *small = EVP_RSA_gen(1024);
    char *encrypted = keys_pem(rsa, "secret"), *elliptic = keys_pem(curve, NULL);
    char *short_key = keys_pem(small, NULL), *public_key = keys_public_pem(rsa);

    refused("", "no private key");
    refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key");
    refused(public_key, "no private key");
    refused(encrypted, "encrypted with a passphrase");
    refused(elliptic, "of the type EC");
    refused(short_key, "RSA key of 1024 bits");
    free(encrypted);
    free(elliptic);
    free(short_key);
    free(public_key);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(small);
}

int main(void)
{
    cprof_secret_guard_libraries();
    rsa = EVP_RSA_gen(2048);
    EXPECT(rsa);
    RUN(an_assertion_says_who_asks_for_what);
    RUN(the_public_key_verifies_the_assertion_and_no_other);
    RUN(a_key_without_an_id_leaves_it_out);
    RUN(claims_that_are_too_long_give_no_assertion);
    RUN(keys_of_no_use_are_refused_by_their_kind);
    EVP_PKEY_free(rsa);
    return 0;
}
