/* key_file.c - see key_file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "key_file.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTED "service_account, authorized_user, external_account, impersonated_service_account"

#define GOOGLE_TOKEN_URL    "https://oauth2.googleapis.com/token"
#define GOOGLE_EXCHANGE_URL "https://sts.googleapis.com/v1/token"

#define IMPERSONATION_S_DEFAULT 3600
#define IMPERSONATION_S_MIN     600
#define IMPERSONATION_S_MAX     43200

#define FIELD_BYTES_MAX 4096u /* but for the private key */

/* What all readers here work on. */
struct reader {
    struct cprof_key_file *file;
    const json_t *object; /* the credentials: the file, or its source_credentials */
    struct cprof_error *error;
};

static bool is_header_name(const char *name)
{
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("-_.", *at)) {
            return false;
        }
    }
    return name[0] != '\0';
}

/* The text `name` of the object, or `otherwise` if it is not there. A value of another type, or one
 * with control characters, is refused: texts go into headers. */
static bool get_text(const struct reader *reader, const char **text, const json_t *object,
                     const char *name, const char *otherwise)
{
    const json_t *value = json_object_get(object, name);

    *text = otherwise;
    if (!value || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value)) {
        return cprof_fail(reader->error, "key file %.200s: \"%s\" is not a text",
                          reader->file->path, name);
    }
    *text = json_string_value(value);
    if (json_string_length(value) > FIELD_BYTES_MAX) {
        return cprof_fail(reader->error, "key file %.200s: \"%s\" is too long", reader->file->path,
                          name);
    }
    for (const char *at = *text; *at; at++) {
        if (iscntrl((unsigned char)*at)) {
            return cprof_fail(reader->error, "key file %.200s: \"%s\" has a control character",
                              reader->file->path, name);
        }
    }
    return true;
}

static bool need_text(const struct reader *reader, const char **text, const json_t *object,
                      const char *name)
{
    if (!get_text(reader, text, object, name, "")) {
        return false;
    }
    return (*text)[0] ? true
                      : cprof_fail(reader->error, "key file %.200s: \"%s\" is missing",
                                   reader->file->path, name);
}

static bool check_url(const struct reader *reader, const char *url, const char *name, bool plain)
{
    if (strncmp(url, "https://", 8) == 0 || (plain && strncmp(url, "http://", 7) == 0)) {
        return true;
    }
    return cprof_fail(reader->error, "key file %.200s: \"%s\" is not an %s URL", reader->file->path,
                      name, plain ? "http:// or https://" : "https://");
}

static bool get_url(const struct reader *reader, const char **url, const char *name,
                    const char *otherwise)
{
    return get_text(reader, url, reader->object, name, otherwise) &&
           (!(*url)[0] || check_url(reader, *url, name, false));
}

static bool read_private_key(const struct reader *reader)
{
    /* A view of the caller's own JSON, which it may change. */
    json_t *object = reader->file->json;
    const json_t *pem;

    if (reader->object != object) {
        object = json_object_get(object, "source_credentials");
    }
    pem = json_object_get(object, "private_key");
    if (!json_is_string(pem) || json_string_length(pem) == 0) {
        return cprof_fail(reader->error, "key file %.200s: \"private_key\" is missing",
                          reader->file->path);
    }
    reader->file->key =
        cprof_jwt_key_read(json_string_value(pem), reader->file->path, reader->error);
    (void)json_object_del(object, "private_key");
    return reader->file->key != NULL;
}

static bool read_service_account(const struct reader *reader)
{
    struct cprof_key_file *file = reader->file;

    file->kind = CPROF_KEY_SERVICE_ACCOUNT;
    return need_text(reader, &file->client_email, reader->object, "client_email") &&
           get_text(reader, &file->key_id, reader->object, "private_key_id", "") &&
           need_text(reader, &file->token_url, reader->object, "token_uri") &&
           check_url(reader, file->token_url, "token_uri", false) && read_private_key(reader);
}

static bool read_authorized_user(const struct reader *reader)
{
    struct cprof_key_file *file = reader->file;

    file->kind = CPROF_KEY_AUTHORIZED_USER;
    return need_text(reader, &file->client_id, reader->object, "client_id") &&
           need_text(reader, &file->client_secret, reader->object, "client_secret") &&
           need_text(reader, &file->refresh_token, reader->object, "refresh_token") &&
           get_url(reader, &file->token_url, "token_uri", GOOGLE_TOKEN_URL);
}

static bool check_source_headers(const struct reader *reader, const json_t *headers)
{
    const char *name, *text;
    json_t *value;

    if (headers &&
        (!json_is_object(headers) || json_object_size(headers) > CPROF_KEY_SOURCE_HEADERS_MAX)) {
        return cprof_fail(
            reader->error,
            "key file %.200s: \"headers\" of \"credential_source\" is not an object of "
            "at most %u texts",
            reader->file->path, CPROF_KEY_SOURCE_HEADERS_MAX);
    }
    /* The iteration needs the type without const and changes nothing. */
    json_object_foreach((json_t *)headers, name, value)
    {
        if (!is_header_name(name)) {
            return cprof_fail(reader->error,
                              "key file %.200s: \"headers\" of \"credential_source\" has a name "
                              "that is none of a header",
                              reader->file->path);
        }
        if (!need_text(reader, &text, headers, name)) {
            return false;
        }
    }
    reader->file->source_headers = headers;
    return true;
}

static bool read_source_format(const struct reader *reader, const json_t *source)
{
    const json_t *format = json_object_get(source, "format");
    const char *type;

    if (!get_text(reader, &type, format, "type", "text")) {
        return false;
    }
    if (strcmp(type, "json") == 0) {
        return need_text(reader, &reader->file->source_field, format, "subject_token_field_name");
    }
    return strcmp(type, "text") == 0
               ? true
               : cprof_fail(reader->error,
                            "key file %.200s: \"format\" of \"credential_source\" is of the type "
                            "\"%.40s\" (accepted: text, json)",
                            reader->file->path, type);
}

/* Sources that would run a program or sign requests of another cloud. */
static bool refuse_other_sources(const struct reader *reader, const json_t *source)
{
    static const struct {
        const char *field, *name;
    } others[] = {
        {"executable", "an executable"},
        {"environment_id", "AWS"},
        {"certificate", "a certificate"},
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (json_object_get(source, others[i].field)) {
            return cprof_fail(
                reader->error,
                "key file %.200s: subject tokens from %s are not supported (accepted: "
                "\"credential_source\" with \"file\" or \"url\")",
                reader->file->path, others[i].name);
        }
    }
    return true;
}

static bool read_source(const struct reader *reader)
{
    struct cprof_key_file *file = reader->file;
    const json_t *source = json_object_get(reader->object, "credential_source");

    if (!json_is_object(source)) {
        return cprof_fail(reader->error, "key file %.200s: \"credential_source\" is missing",
                          file->path);
    }
    if (!refuse_other_sources(reader, source) ||
        !get_text(reader, &file->source_file, source, "file", "") ||
        !get_text(reader, &file->source_url, source, "url", "") ||
        !read_source_format(reader, source)) {
        return false;
    }
    if (!file->source_file[0] == !file->source_url[0]) {
        return cprof_fail(reader->error,
                          "key file %.200s: \"credential_source\" needs either \"file\" or \"url\"",
                          file->path);
    }
    return (!file->source_url[0] || check_url(reader, file->source_url, "url", true)) &&
           check_source_headers(reader, json_object_get(source, "headers"));
}

static bool read_external_account(const struct reader *reader)
{
    struct cprof_key_file *file = reader->file;

    file->kind = CPROF_KEY_EXTERNAL_ACCOUNT;
    return need_text(reader, &file->audience, reader->object, "audience") &&
           need_text(reader, &file->subject_token_type, reader->object, "subject_token_type") &&
           get_url(reader, &file->token_url, "token_url", GOOGLE_EXCHANGE_URL) &&
           get_text(reader, &file->client_id, reader->object, "client_id", "") &&
           get_text(reader, &file->client_secret, reader->object, "client_secret", "") &&
           get_text(reader, &file->workforce_project, reader->object, "workforce_pool_user_project",
                    "") &&
           read_source(reader);
}

static bool read_lifetime(const struct reader *reader)
{
    const json_t *options = json_object_get(reader->object, "service_account_impersonation");
    const json_t *lifetime = json_object_get(options, "token_lifetime_seconds");

    reader->file->impersonation_lifetime_s = IMPERSONATION_S_DEFAULT;
    if (!lifetime) {
        return true;
    }
    reader->file->impersonation_lifetime_s = json_integer_value(lifetime);
    return reader->file->impersonation_lifetime_s >= IMPERSONATION_S_MIN &&
                   reader->file->impersonation_lifetime_s <= IMPERSONATION_S_MAX
               ? true
               : cprof_fail(
                     reader->error,
                     "key file %.200s: \"token_lifetime_seconds\" is not a number from %d to "
                     "%d",
                     reader->file->path, IMPERSONATION_S_MIN, IMPERSONATION_S_MAX);
}

static bool read_delegates(const struct reader *reader)
{
    const json_t *delegates = json_object_get(reader->object, "delegates");
    size_t count = json_array_size(delegates);

    if (!delegates || json_is_null(delegates)) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!json_is_string(json_array_get(delegates, i))) {
            delegates = NULL;
        }
    }
    reader->file->delegates = delegates;
    return json_is_array(delegates) && count <= CPROF_KEY_DELEGATES_MAX
               ? true
               : cprof_fail(reader->error,
                            "key file %.200s: \"delegates\" is not a list of at most %u texts",
                            reader->file->path, CPROF_KEY_DELEGATES_MAX);
}

static bool read_impersonation(const struct reader *reader)
{
    return get_url(reader, &reader->file->impersonation_url, "service_account_impersonation_url",
                   "") &&
           read_lifetime(reader) && read_delegates(reader);
}

/* The impersonation that an external account itself asks for. */
static bool read_own_impersonation(const struct reader *reader)
{
    if (!reader->file->impersonation_url[0]) {
        return read_impersonation(reader);
    }
    return !json_object_get(reader->object, "service_account_impersonation_url")
               ? true
               : cprof_fail(
                     reader->error,
                     "key file %.200s: \"source_credentials\" that impersonate, too, are not "
                     "supported",
                     reader->file->path);
}

/* The types that can give a first token. */
static bool read_first(const struct reader *reader, const char *type)
{
    if (strcmp(type, "service_account") == 0) {
        return read_service_account(reader);
    }
    if (strcmp(type, "authorized_user") == 0) {
        return read_authorized_user(reader);
    }
    if (strcmp(type, "external_account") == 0) {
        return read_external_account(reader) && read_own_impersonation(reader);
    }
    return cprof_fail(reader->error,
                      "key file %.200s: its type \"%.60s\" is not supported (accepted: " ACCEPTED
                      ")",
                      reader->file->path, type);
}

static bool read_impersonated(struct reader *reader)
{
    const char *type;

    if (!read_impersonation(reader)) {
        return false;
    }
    if (!reader->file->impersonation_url[0]) {
        return cprof_fail(reader->error,
                          "key file %.200s: \"service_account_impersonation_url\" is missing",
                          reader->file->path);
    }
    reader->object = json_object_get(reader->object, "source_credentials");
    if (!json_is_object(reader->object)) {
        return cprof_fail(reader->error, "key file %.200s: \"source_credentials\" is missing",
                          reader->file->path);
    }
    return need_text(reader, &type, reader->object, "type") && read_first(reader, type);
}

static bool missing_type(const struct reader *reader)
{
    if (json_object_get(reader->object, "installed") || json_object_get(reader->object, "web")) {
        return cprof_fail(reader->error,
                          "key file %.200s is the file of an OAuth client, not a key (accepted "
                          "types: " ACCEPTED ")",
                          reader->file->path);
    }
    return cprof_fail(reader->error,
                      "key file %.200s: \"type\" is missing (accepted: " ACCEPTED ")",
                      reader->file->path);
}

static bool read_object(struct reader *reader)
{
    struct cprof_key_file *file = reader->file;
    const char *type;

    if (!get_text(reader, &type, reader->object, "type", "") ||
        !get_text(reader, &file->project_id, reader->object, "project_id", "") ||
        !get_text(reader, &file->quota_project, reader->object, "quota_project_id", "")) {
        return false;
    }
    if (!type[0]) {
        return missing_type(reader);
    }
    return strcmp(type, "impersonated_service_account") == 0 ? read_impersonated(reader)
                                                             : read_first(reader, type);
}

static bool load(struct cprof_key_file *file, const char *text, size_t text_bytes,
                 struct cprof_error *error)
{
    json_error_t position;

    /* jansson's own message quotes the file, and that may be the secret. */
    file->json = json_loadb(text, text_bytes, JSON_REJECT_DUPLICATES, &position);
    if (!file->json) {
        return cprof_fail(error, "key file %.200s is not JSON (line %d, column %d)", file->path,
                          position.line, position.column);
    }
    return json_is_object(file->json)
               ? true
               : cprof_fail(error, "key file %.200s is not a JSON object", file->path);
}

bool cprof_key_file_read(struct cprof_key_file *file, const char *text, size_t text_bytes,
                         const char *path, struct cprof_error *error)
{
    struct reader reader = {.file = file, .error = error};
    bool ok;

    *file = (struct cprof_key_file){
        .path = strdup(path),
        .project_id = "",
        .quota_project = "",
        .token_url = "",
        .client_email = "",
        .key_id = "",
        .client_id = "",
        .client_secret = "",
        .refresh_token = "",
        .audience = "",
        .subject_token_type = "",
        .workforce_project = "",
        .source_file = "",
        .source_url = "",
        .source_field = "",
        .impersonation_url = "",
    };
    if (!file->path) {
        return cprof_fail(error, "key file %.200s: no memory", path);
    }
    ok = load(file, text, text_bytes, error);
    reader.object = file->json;
    ok = ok && read_object(&reader);
    if (!ok) {
        cprof_key_file_reset(file);
    }
    return ok;
}

void cprof_key_file_reset(struct cprof_key_file *file)
{
    cprof_jwt_key_free(file->key);
    json_decref(file->json);
    free(file->path);
    *file = (struct cprof_key_file){0};
}

void cprof_key_file_renew(struct cprof_key_file *file, const char *refresh_token)
{
    json_t *source = json_object_get(file->json, "source_credentials");
    json_t *object = source ? source : file->json;

    if (json_object_set_new(object, "refresh_token", json_string(refresh_token)) == 0) {
        file->refresh_token = json_string_value(json_object_get(object, "refresh_token"));
    }
}
