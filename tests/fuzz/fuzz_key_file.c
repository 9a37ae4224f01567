/* fuzz_key_file.c - key files of all kinds (gateway/credentials/key_file.h). Where the input says
 * PRIVATE-KEY a real key is put, made anew for each run: none lies in this tree.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/credentials/key_file.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define MARK      "PRIVATE-KEY"
#define PEM_BYTES 4096
#define KEY_BITS  2048

/* The key as it stands in JSON, its line ends as \n. */
static char pem[PEM_BYTES];
/* Some of its numbers, which no message may quote. */
static char secret[17];

static void make_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    BIO *memory = BIO_new(BIO_s_mem());
    size_t used = 0;
    char c;

    EXPECT(key && memory && PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL));
    while (BIO_read(memory, &c, 1) == 1 && used < sizeof(pem) - 2) {
        if (c == '\n') {
            pem[used++] = '\\';
            c = 'n';
        }
        pem[used++] = c;
    }
    memcpy(secret, pem + used / 2, sizeof(secret) - 1);
    BIO_free(memory);
    EVP_PKEY_free(key);
}

/* The input with a key in place of the first mark; malloc'd. */
static char *with_key(const uint8_t *data, size_t *size)
{
    const uint8_t *mark = *size > 0 ? memmem(data, *size, MARK, sizeof(MARK) - 1) : NULL;
    size_t before = mark ? (size_t)(mark - data) : *size, after = 0;
    char *text = malloc(*size + sizeof(pem));

    EXPECT(text);
    if (before > 0) {
        memcpy(text, data, before);
    }
    if (mark) {
        size_t length = strlen(pem);

        after = *size - before - (sizeof(MARK) - 1);
        memcpy(text + before, pem, length);
        memcpy(text + before + length, mark + sizeof(MARK) - 1, after);
        before += length;
    }
    *size = before + after;
    return text;
}

static bool has_ends(const struct cprof_key_file *file)
{
    return file->project_id && file->quota_project && file->token_url && file->client_email &&
           file->key_id && file->client_id && file->client_secret && file->refresh_token &&
           file->audience && file->source_file && file->source_url && file->impersonation_url;
}

static void check(struct cprof_key_file *file)
{
    EXPECT(has_ends(file));
    EXPECT(file->token_url[0] == '\0' || strncmp(file->token_url, "https://", 8) == 0);
    EXPECT(file->impersonation_url[0] == '\0' ||
           strncmp(file->impersonation_url, "https://", 8) == 0);
    EXPECT(file->kind != CPROF_KEY_SERVICE_ACCOUNT || file->key);
    EXPECT(file->kind != CPROF_KEY_EXTERNAL_ACCOUNT ||
           (file->source_file[0] != '\0') != (file->source_url[0] != '\0'));
    cprof_key_file_renew(file, "another");
    cprof_key_file_reset(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_key_file file;
    struct cprof_error error = {0};
    size_t given = size;
    char *text;

    if (pem[0] == '\0') {
        make_key();
    }
    text = with_key(data, &size);
    if (cprof_key_file_read(&file, text, size, "key.json", &error)) {
        check(&file);
    } else {
        EXPECT(strstr(error.text, "key.json"));
        /* libFuzzer sees this comparison and puts the secret where it may be quoted. */
        EXPECT(!strstr(error.text, secret) || memmem(data, given, secret, strlen(secret)));
    }
    free(text);
    return 0;
}
