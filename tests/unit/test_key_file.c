/* test_key_file.c - see gateway/credentials/key_file.h, file_text.h and key_search.h.
 *
 * sources: tests/unit/keys.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../gateway/credentials/file_text.h"
#include "../../gateway/credentials/key_file.h"
#include "../../gateway/credentials/key_search.h"
#include "../../gateway/credentials/secret.h"
#include "child.h"
#include "expect.h"
#include "keys.h"

#define NOBODY 65534

#define PATH "/etc/key.json"

static char directory[] = "/tmp/test_key_file.XXXXXX";
static char path[128];
static char *rsa_pem;
static struct cprof_error error;

static bool reads(struct cprof_key_file *file, const char *text)
{
    return cprof_key_file_read(file, text, strlen(text), PATH, &error);
}

/* Takes the reference. */
static bool reads_json(struct cprof_key_file *file, json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2));
    bool ok;

    EXPECT(json && text);
    ok = reads(file, text);
    free(text);
    json_decref(json);
    return ok;
}

static void refused(json_t *json, const char *reason)
{
    struct cprof_key_file file;
    bool ok = reads_json(&file, json);

    if (!ok) {
        (void)fprintf(stderr, "  %s\n", error.text);
    }
    EXPECT(!ok && strncmp(error.text, "key file " PATH, 22) == 0 && strstr(error.text, reason));
}

static json_t *service_account(const char *pem)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", "service_account", "project_id",
                     "lab", "private_key_id", "0123", "private_key", pem, "client_email",
                     "agent@lab.iam.gserviceaccount.com", "token_uri",
                     "https://oauth2.googleapis.com/token");
}

static json_t *authorized_user(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "authorized_user", "client_id", "cid",
                     "client_secret", "csecret", "refresh_token", "1//refresh", "quota_project_id",
                     "quota");
}

static json_t *external_account(json_t *source)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "type", "external_account", "audience",
                     "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
                     "subject_token_type", "urn:ietf:params:oauth:token-type:jwt",
                     "credential_source", source);
}

static json_t *impersonated(json_t *source)
{
    return json_pack("{s:s, s:s, s:[s], s:o}", "type", "impersonated_service_account",
                     "service_account_impersonation_url",
                     "https://iamcredentials.googleapis.com/v1/x:generateAccessToken", "delegates",
                     "d@lab.iam.gserviceaccount.com", "source_credentials", source);
}

static json_t *with(json_t *json, const char *name, json_t *value)
{
    EXPECT(json_object_set_new(json, name, value) == 0);
    return json;
}

static json_t *without(json_t *json, const char *name)
{
    EXPECT(json_object_del(json, name) == 0);
    return json;
}

static void a_service_account_is_read(void)
{
    struct cprof_key_file file;

    EXPECT(reads_json(&file, service_account(rsa_pem)));
    EXPECT(file.kind == CPROF_KEY_SERVICE_ACCOUNT && file.key);
    EXPECT(strcmp(file.project_id, "lab") == 0 && strcmp(file.key_id, "0123") == 0);
    EXPECT(strcmp(file.token_url, "https://oauth2.googleapis.com/token") == 0);
    EXPECT(strcmp(file.path, PATH) == 0 && !file.impersonation_url[0]);
    /* Its text is gone as soon as it is a key. */
    EXPECT(!json_object_get(file.json, "private_key"));
    cprof_key_file_reset(&file);
    EXPECT(reads_json(&file, without(service_account(rsa_pem), "private_key_id")));
    EXPECT(!file.key_id[0]);
    cprof_key_file_reset(&file);
}

static void an_authorized_user_is_read_and_renewed(void)
{
    struct cprof_key_file file;

    EXPECT(reads_json(&file, authorized_user()));
    EXPECT(file.kind == CPROF_KEY_AUTHORIZED_USER);
    EXPECT(strcmp(file.token_url, "https://oauth2.googleapis.com/token") == 0);
    EXPECT(strcmp(file.refresh_token, "1//refresh") == 0);
    EXPECT(strcmp(file.quota_project, "quota") == 0);
    cprof_key_file_renew(&file, "1//second");
    EXPECT(strcmp(file.refresh_token, "1//second") == 0);
    cprof_key_file_reset(&file);
}

static void external_accounts_are_read_with_their_sources(void)
{
    struct cprof_key_file file;
    json_t *url = json_pack("{s:s, s:{s:s}, s:{s:s, s:s}}", "url", "http://127.0.0.1/t", "headers",
                            "Metadata", "True", "format", "type", "json",
                            "subject_token_field_name", "access_token");

    EXPECT(reads_json(&file, external_account(json_pack("{s:s}", "file", "/run/token"))));
    EXPECT(file.kind == CPROF_KEY_EXTERNAL_ACCOUNT && strcmp(file.source_file, "/run/token") == 0);
    EXPECT(strcmp(file.token_url, "https://sts.googleapis.com/v1/token") == 0);
    EXPECT(!file.source_field[0] && !file.source_headers && !file.impersonation_url[0]);
    cprof_key_file_reset(&file);

    url = with(external_account(url), "service_account_impersonation_url",
               json_string("https://iam.example/x:generateAccessToken"));
    url = with(url, "service_account_impersonation",
               json_pack("{s:i}", "token_lifetime_seconds", 1200));
    EXPECT(reads_json(&file, url));
    EXPECT(strcmp(file.source_url, "http://127.0.0.1/t") == 0);
    EXPECT(strcmp(file.source_field, "access_token") == 0);
    EXPECT(json_object_size(file.source_headers) == 1);
    EXPECT(file.impersonation_url[0] && file.impersonation_lifetime_s == 1200);
    cprof_key_file_reset(&file);
}

static void impersonation_holds_each_of_the_others(void)
{
    struct cprof_key_file file;

    EXPECT(reads_json(&file, impersonated(authorized_user())));
    EXPECT(file.kind == CPROF_KEY_AUTHORIZED_USER && file.impersonation_lifetime_s == 3600);
    EXPECT(json_array_size(file.delegates) == 1);
    cprof_key_file_renew(&file, "1//second");
    EXPECT(strcmp(file.refresh_token, "1//second") == 0);
    cprof_key_file_reset(&file);
    EXPECT(reads_json(&file, impersonated(service_account(rsa_pem))));
    EXPECT(file.kind == CPROF_KEY_SERVICE_ACCOUNT && file.key && file.impersonation_url[0]);
    cprof_key_file_reset(&file);
    EXPECT(reads_json(&file, impersonated(external_account(json_pack("{s:s}", "file", "/t")))));
    EXPECT(file.kind == CPROF_KEY_EXTERNAL_ACCOUNT && file.impersonation_url[0]);
    cprof_key_file_reset(&file);
}

static void what_is_no_key_file_is_refused(void)
{
    static const char broken[] = "{\"type\": \"authorized_user\",\n \"client_secret\": S3CRET\n}";
    struct cprof_key_file file;

    EXPECT(!reads(&file, broken));
    (void)fprintf(stderr, "  %s\n", error.text);
    EXPECT(strstr(error.text, "is not JSON (line 2,") && !strstr(error.text, "S3CRET"));
    EXPECT(!reads(&file, "-----BEGIN PRIVATE KEY-----"));
    EXPECT(strstr(error.text, "is not JSON (line 1,"));
    EXPECT(!reads(&file, "[1]") && strstr(error.text, "not a JSON object"));
    EXPECT(!reads(&file, "{\"type\": \"a\", \"type\": \"b\"}"));
    refused(json_object(), "\"type\" is missing (accepted: service_account, authorized_user, ");
    refused(json_pack("{s:{}}", "installed"), "OAuth client");
    refused(json_pack("{s:i}", "type", 1), "\"type\" is not a text");
    refused(json_pack("{s:s}", "type", "gdch_service_account"),
            "\"gdch_service_account\" is not supported (accepted: service_account, ");
}

static void missing_fields_are_named(void)
{
    static const char *const service[] = {"client_email", "private_key", "token_uri"};
    static const char *const user[] = {"client_id", "client_secret", "refresh_token"};
    static const char *const external[] = {"audience", "subject_token_type", "credential_source"};
    char wanted[64];

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(wanted, sizeof(wanted), "\"%s\" is missing", service[i]);
        refused(without(service_account(rsa_pem), service[i]), wanted);
        (void)snprintf(wanted, sizeof(wanted), "\"%s\" is missing", user[i]);
        refused(without(authorized_user(), user[i]), wanted);
        (void)snprintf(wanted, sizeof(wanted), "\"%s\" is missing", external[i]);
        refused(without(external_account(json_pack("{s:s}", "file", "/t")), external[i]), wanted);
    }
    refused(without(impersonated(authorized_user()), "source_credentials"),
            "\"source_credentials\" is missing");
    refused(without(impersonated(authorized_user()), "service_account_impersonation_url"),
            "\"service_account_impersonation_url\" is missing");
}

static void servers_without_tls_are_refused(void)
{
    json_t *plain = json_string("http://token.example/");

    refused(with(service_account(rsa_pem), "token_uri", json_incref(plain)),
            "\"token_uri\" is not an https:// URL");
    refused(with(authorized_user(), "token_uri", json_incref(plain)), "\"token_uri\"");
    refused(
        with(external_account(json_pack("{s:s}", "file", "/t")), "token_url", json_incref(plain)),
        "\"token_url\"");
    refused(with(impersonated(authorized_user()), "service_account_impersonation_url",
                 json_incref(plain)),
            "\"service_account_impersonation_url\"");
    refused(external_account(json_pack("{s:s}", "url", "file:///etc/passwd")),
            "\"url\" is not an http:// or https:// URL");
    json_decref(plain);
}

static void sources_that_are_not_understood_are_refused(void)
{
    refused(external_account(json_pack("{s:{}}", "executable")), "from an executable are not");
    refused(external_account(json_pack("{s:s}", "environment_id", "aws1")), "from AWS are not");
    refused(external_account(json_pack("{s:{}}", "certificate")), "from a certificate are not");
    refused(external_account(json_object()), "either \"file\" or \"url\"");
    refused(external_account(json_pack("{s:s, s:s}", "file", "/t", "url", "http://a/")),
            "either \"file\" or \"url\"");
    refused(external_account(json_pack("{s:s, s:{s:s}}", "file", "/t", "format", "type", "xml")),
            "\"xml\" (accepted: text, json)");
    refused(external_account(json_pack("{s:s, s:{s:s}}", "file", "/t", "format", "type", "json")),
            "\"subject_token_field_name\" is missing");
    refused(external_account(
                json_pack("{s:s, s:{s:s}}", "url", "http://a/", "headers", "X", "1\r\nY: 2")),
            "control character");
    refused(external_account(
                json_pack("{s:s, s:{s:s}}", "url", "http://a/", "headers", "X: 1\r\nY", "2")),
            "none of a header");
    refused(external_account(json_pack("{s:s, s:[]}", "url", "http://a/", "headers")),
            "\"headers\"");
    refused(impersonated(json_pack("{s:s}", "type", "external_account_authorized_user")),
            "\"external_account_authorized_user\" is not supported");
    refused(impersonated(impersonated(authorized_user())), "is not supported");
    refused(with(impersonated(authorized_user()), "delegates", json_pack("[i]", 1)),
            "\"delegates\"");
}

static void keys_of_no_use_are_refused(void)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *curve = EVP_EC_gen("P-256");
    char *encrypted = keys_pem(rsa, "secret"), *elliptic = keys_pem(curve, NULL);

    refused(service_account(encrypted), "encrypted with a passphrase");
    refused(service_account(elliptic), "of the type EC");
    refused(service_account("none"), "holds no private key");
    refused(impersonated(service_account("none")), "holds no private key");
    free(encrypted);
    free(elliptic);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(curve);
}

static void write_file(const char *text, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
    close(fd);
}

static void cannot_read(const char *at, const char *reason)
{
    struct cprof_file_text text;

    EXPECT(!cprof_file_text_read(&text, at, "key file", &error));
    (void)fprintf(stderr, "  %s\n", error.text);
    EXPECT(strstr(error.text, at) && strstr(error.text, reason) && !text.text);
}

static void files_that_cannot_be_read_say_why(void)
{
    static char large[CPROF_FILE_TEXT_BYTES_MAX + 1];
    struct cprof_file_text text;

    cannot_read("/nowhere/key.json", "does not exist");
    cannot_read(directory, "is a directory");
    write_file("", 0);
    cannot_read(path, "is empty");
    write_file(large, sizeof(large));
    cannot_read(path, "is larger than 64 KiB");
    write_file(large, sizeof(large) - 1);
    EXPECT(cprof_file_text_read(&text, path, "key file", &error));
    EXPECT(text.bytes == sizeof(large) - 1);
    cprof_file_text_reset(&text);
    EXPECT(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    cannot_read(path, "is not a regular file");
    EXPECT(unlink(path) == 0);
}

static void read_as_nobody(void *data)
{
    char wanted[64];

    (void)data;
    if (geteuid() == 0) {
        EXPECT(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    }
    (void)snprintf(wanted, sizeof(wanted), "no permission to read it as uid %u", geteuid());
    cannot_read(path, wanted);
    _exit(CHILD_RETURNED);
}

static void a_file_of_another_user_names_the_uid(void)
{
    write_file("{}", 2);
    EXPECT(chmod(path, 0) == 0 && chmod(directory, 0755) == 0);
    EXPECT(child_run(read_as_nobody, NULL) == CHILD_RETURNED);
    EXPECT(unlink(path) == 0);
}

static void a_file_that_changed_is_told_from_the_one_that_was_read(void)
{
    struct cprof_file_text text;
    struct timespec same[2];
    char second[140];

    write_file("{}", 2);
    EXPECT(cprof_file_text_read(&text, path, "key file", &error));
    EXPECT(cprof_file_stamp_holds(&text.stamp, path));
    /* Another file, of the same size and time, takes its name. */
    same[0] = same[1] = text.stamp.modified;
    EXPECT((size_t)snprintf(second, sizeof(second), "%s.new", path) < sizeof(second));
    EXPECT(rename(path, second) == 0);
    EXPECT(!cprof_file_stamp_holds(&text.stamp, path));
    write_file("[]", 2);
    EXPECT(utimensat(AT_FDCWD, path, same, 0) == 0);
    EXPECT(!cprof_file_stamp_holds(&text.stamp, path));
    cprof_file_text_reset(&text);
    EXPECT(unlink(path) == 0 && unlink(second) == 0);
}

static void the_search_goes_in_order(void)
{
    static char found[CPROF_PATH_BYTES];
    char well_known[160];

    EXPECT(setenv("CLOUDSDK_CONFIG", directory, 1) == 0);
    EXPECT(setenv("GOOGLE_APPLICATION_CREDENTIALS", "/variable.json", 1) == 0);
    EXPECT(cprof_key_search(found, "/option.json") && strcmp(found, "/option.json") == 0);
    EXPECT(cprof_key_search(found, "") && strcmp(found, "/variable.json") == 0);
    EXPECT(unsetenv("GOOGLE_APPLICATION_CREDENTIALS") == 0);
    (void)snprintf(well_known, sizeof(well_known), "%s/application_default_credentials.json",
                   directory);
    EXPECT(!cprof_key_search(found, "") && strcmp(found, well_known) == 0);
    EXPECT(symlink("/dev/null", well_known) == 0);
    EXPECT(cprof_key_search(found, "") && strcmp(found, well_known) == 0);
    EXPECT(unlink(well_known) == 0 && unsetenv("CLOUDSDK_CONFIG") == 0);
    EXPECT(setenv("HOME", "/somebody", 1) == 0 && !cprof_key_search(found, ""));
    EXPECT(strcmp(found, "/somebody/.config/gcloud/application_default_credentials.json") == 0);
    EXPECT(unsetenv("HOME") == 0 && !cprof_key_search(found, "") && !found[0]);
}

int main(void)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048);

    cprof_secret_guard_libraries();
    EXPECT(rsa && mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/key.json", directory);
    rsa_pem = keys_pem(rsa, NULL);
    RUN(a_service_account_is_read);
    RUN(an_authorized_user_is_read_and_renewed);
    RUN(external_accounts_are_read_with_their_sources);
    RUN(impersonation_holds_each_of_the_others);
    RUN(what_is_no_key_file_is_refused);
    RUN(missing_fields_are_named);
    RUN(servers_without_tls_are_refused);
    RUN(sources_that_are_not_understood_are_refused);
    RUN(keys_of_no_use_are_refused);
    RUN(files_that_cannot_be_read_say_why);
    RUN(a_file_of_another_user_names_the_uid);
    RUN(a_file_that_changed_is_told_from_the_one_that_was_read);
    RUN(the_search_goes_in_order);
    EXPECT(rmdir(directory) == 0);
    free(rsa_pem);
    EVP_PKEY_free(rsa);
    return 0;
}
