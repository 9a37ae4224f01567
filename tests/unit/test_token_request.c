/* test_token_request.c - see gateway/credentials/token_request.h. And that no memory is given back
 * with a secret in it: free() is watched.
 *
 * sources: tests/unit/keys.c
 * flags: -Wl,--wrap=free
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "../../gateway/credentials/key_file.h"
#include "../../gateway/credentials/secret.h"
#include "../../gateway/credentials/token_request.h"
#include "expect.h"
#include "keys.h"

#define PATH "/etc/key.json"

static struct cprof_error error;
static unsigned secrets_freed;
static const char *watched = "S3CRET"; /* what else is looked for */

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
    if (memory) {
        size_t bytes = malloc_usable_size(memory);

        secrets_freed += memmem(memory, bytes, "S3CRET", 6) != NULL;
        secrets_freed += memmem(memory, bytes, watched, strlen(watched)) != NULL;
    }
    __real_free(memory);
}

static void read_file(struct cprof_key_file *file, const char *text)
{
    if (!cprof_key_file_read(file, text, strlen(text), PATH, &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

static void expect_header(const struct cprof_token_request *request, const char *wanted)
{
    for (unsigned i = 0; request->http.headers[i]; i++) {
        if (strcmp(request->http.headers[i], wanted) == 0) {
            return;
        }
    }
    (void)fprintf(stderr, "no header %s\n", wanted);
    exit(1);
}

static unsigned header_count(const struct cprof_token_request *request)
{
    unsigned count = 0;

    while (request->http.headers[count]) {
        count++;
    }
    return count;
}

static void expect_body(const struct cprof_token_request *request, const char *wanted)
{
    if (request->http.body_bytes != strlen(wanted) ||
        memcmp(request->http.body, wanted, strlen(wanted)) != 0) {
        (void)fprintf(stderr, "body %.*s\n", (int)request->http.body_bytes, request->http.body);
        exit(1);
    }
}

static const char user_text[] =
    "{\"type\": \"authorized_user\", \"client_id\": \"c&d\", \"client_secret\": \"S3CRET1\","
    " \"refresh_token\": \"1//S3CRET2\"}";

static void a_refresh_token_travels_in_a_form(void)
{
    struct cprof_token_request request;
    struct cprof_key_file file;

    read_file(&file, user_text);
    EXPECT(cprof_token_request_refresh(&request, &file, &error));
    expect_body(&request, "grant_type=refresh_token&client_id=c%26d&client_secret=S3CRET1"
                          "&refresh_token=1%2F%2FS3CRET2");
    expect_header(&request, "content-type: application/x-www-form-urlencoded");
    EXPECT(header_count(&request) == 1 && strcmp(request.http.method, "POST") == 0);
    EXPECT(strcmp(request.http.url, "https://oauth2.googleapis.com/token") == 0);
    EXPECT(!request.http.plain_allowed && !request.http.direct);
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
    EXPECT(secrets_freed == 0);
}

#define EXTERNAL                                                                                   \
    "{\"type\": \"external_account\", \"audience\": \"//a\", \"subject_token_type\": \"t:jwt\","

static void a_client_of_a_pool_says_who_it_is(void)
{
    struct cprof_token_request request;
    struct cprof_key_file file;

    read_file(&file, EXTERNAL "\"client_id\": \"a:b\", \"client_secret\": \"S3CRET\","
                              "\"workforce_pool_user_project\": \"p\","
                              "\"credential_source\": {\"file\": \"/t\"}}");
    EXPECT(cprof_token_request_exchange(&request, &file, "S3CRET.sub", &error));
    expect_body(&request,
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
                "&audience=%2F%2Fa&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fmonitoring.write"
                "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
                "&subject_token=S3CRET.sub&subject_token_type=t%3Ajwt");
    expect_header(&request, "authorization: Basic YSUzQWI6UzNDUkVU"); /* a%3Ab:S3CRET */
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
    EXPECT(secrets_freed == 0);
}

static void a_user_of_a_workforce_says_whose_quota_it_uses(void)
{
    struct cprof_token_request request;
    struct cprof_key_file file;

    read_file(&file, EXTERNAL "\"workforce_pool_user_project\": \"p\","
                              "\"credential_source\": {\"file\": \"/t\"}}");
    EXPECT(cprof_token_request_exchange(&request, &file, "sub", &error));
    EXPECT(strstr(request.http.body, "&options=%7B%22userProject%22%3A%22p%22%7D"));
    EXPECT(header_count(&request) == 1);
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
}

static void a_source_of_subject_tokens_gets_its_headers(void)
{
    struct cprof_token_request request;
    struct cprof_key_file file;

    read_file(&file, EXTERNAL "\"credential_source\": {\"url\": \"http://127.0.0.1/t\","
                              "\"headers\": {\"Metadata\": \"True\", \"X-Key\": \"S3CRET\"}}}");
    EXPECT(cprof_token_request_subject(&request, &file, &error));
    expect_header(&request, "Metadata: True");
    expect_header(&request, "X-Key: S3CRET");
    EXPECT(request.http.plain_allowed && request.http.direct && request.http.body_bytes == 0);
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
    EXPECT(secrets_freed == 0);
}

static void an_impersonation_names_scope_lifetime_and_delegates(void)
{
    struct cprof_token_request request;
    struct cprof_key_file file;

    read_file(&file, "{\"type\": \"impersonated_service_account\", \"delegates\": [\"d\"],"
                     "\"quota_project_id\": \"quota\","
                     "\"service_account_impersonation_url\": \"https://iam/x\","
                     "\"source_credentials\": {\"type\": \"authorized_user\", \"client_id\": \"c\","
                     "\"client_secret\": \"S3CRET\", \"refresh_token\": \"S3CRET\"}}");
    EXPECT(cprof_token_request_impersonation(&request, &file, "S3CRET", &error));
    expect_body(&request, "{\"delegates\":[\"d\"],"
                          "\"scope\":[\"https://www.googleapis.com/auth/monitoring.write\"],"
                          "\"lifetime\":\"3600s\"}");
    expect_header(&request, "authorization: Bearer S3CRET");
    expect_header(&request, "x-goog-user-project: quota");
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
    EXPECT(secrets_freed == 0);
}

static void what_is_too_long_for_a_request_is_refused(void)
{
    static char longest[150000];
    struct cprof_token_request request;
    struct cprof_key_file file;

    memset(longest, '/', sizeof(longest) - 1);
    read_file(&file, EXTERNAL "\"credential_source\": {\"file\": \"/t\"}}");
    EXPECT(!cprof_token_request_exchange(&request, &file, longest, &error));
    EXPECT(strstr(error.text, PATH));
    cprof_token_request_reset(&request);
    cprof_key_file_reset(&file);
}

/* From the file to the assertion: neither the key's text nor the assertion is left behind. */
static void a_private_key_is_wiped_wherever_it_was(void)
{
    static char line[65];
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    char *pem = keys_pem(rsa, NULL), *text;
    struct cprof_token_request request;
    struct cprof_key_file file;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "type", "service_account", "client_email",
                             "a@b", "token_uri", "https://t/", "private_key", pem);

    EXPECT(rsa && json);
    text = json_dumps(json, 0);
    memcpy(line, strchr(strchr(pem, '\n') + 1, '\n') + 1, 64);
    json_decref(json);
    watched = line;
    read_file(&file, text);
    EXPECT(secrets_freed == 0);
    EXPECT(cprof_token_request_assertion(&request, &file, 1795353937, &error));
    (void)snprintf(line, sizeof(line), "%s", strstr(request.http.body, "&assertion=") + 200);
    cprof_token_request_reset(&request);
    /* The same assertion once more: now it is known what to look for. */
    EXPECT(cprof_token_request_assertion(&request, &file, 1795353937, &error));
    EXPECT(strstr(request.http.body, line));
    cprof_token_request_reset(&request);
    EXPECT(secrets_freed == 0);
    cprof_key_file_reset(&file);
    EVP_PKEY_free(rsa);
    /* And the watch itself sees what is not wiped. */
    watched = "BEGIN PRIVATE KEY";
    free(text);
    EXPECT(secrets_freed == 1);
    cprof_secret_free(pem);
    EXPECT(secrets_freed == 1);
}

int main(void)
{
    cprof_secret_guard_libraries();
    RUN(a_refresh_token_travels_in_a_form);
    RUN(a_client_of_a_pool_says_who_it_is);
    RUN(a_user_of_a_workforce_says_whose_quota_it_uses);
    RUN(a_source_of_subject_tokens_gets_its_headers);
    RUN(an_impersonation_names_scope_lifetime_and_delegates);
    RUN(what_is_too_long_for_a_request_is_refused);
    RUN(a_private_key_is_wiped_wherever_it_was);
    return 0;
}
