/* token_request.c - see token_request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "token_request.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"
#include "secret.h"
#include "token_answer.h"

#define BODY_BYTES 131072u /* a token whose every byte is encoded by three, twice */

#define DEADLINE_MS 30000u
#define CONNECT_MS  10000u

#define ASSERTION_LIFETIME_S 3600 /* the most that the token endpoint takes */

/* Whatever the URL is that the endpoint is reached by: it knows itself by this one. */
#define ASSERTION_AUDIENCE "https://oauth2.googleapis.com/token"

static bool begin(struct cprof_token_request *request, const char *method, const char *url)
{
    *request = (struct cprof_token_request){
        .http =
            {
                .channel = CPROF_HTTP_OTHER,
                .method = method,
                .url = url,
                .deadline_ms = DEADLINE_MS,
                .connect_ms = CONNECT_MS,
                .answer_bytes_max = CPROF_TOKEN_ANSWER_BYTES_MAX,
            },
        .body = calloc(1, BODY_BYTES),
    };
    request->http.body = request->body;
    return request->body != NULL;
}

/* False: no memory or no place. */
static bool add_header(struct cprof_token_request *request, const char *name, const char *prefix,
                       const char *value)
{
    size_t bytes = strlen(name) + strlen(prefix) + strlen(value) + sizeof(": ");
    unsigned place = 0;

    while (place < CPROF_HTTP_HEADERS_MAX && request->headers[place]) {
        place++;
    }
    if (place == CPROF_HTTP_HEADERS_MAX) {
        return false;
    }
    request->headers[place] = malloc(bytes);
    request->http.headers[place] = request->headers[place];
    if (!request->headers[place]) {
        return false;
    }
    (void)snprintf(request->headers[place], bytes, "%s: %s%s", name, prefix, value);
    return true;
}

/* Appends to the body what a form has for this field; an empty value is left out. */
static bool add_field(struct cprof_token_request *request, const char *name, const char *value)
{
    size_t used = request->http.body_bytes;
    int length;

    if (!value[0]) {
        return true;
    }
    length = snprintf(request->body + used, BODY_BYTES - used, "%s%s=", used ? "&" : "", name);
    if (length < 0 || (size_t)length >= BODY_BYTES - used) {
        return false;
    }
    used += (size_t)length;
    if (!cprof_http_encode(request->body + used, BODY_BYTES - used, value)) {
        return false;
    }
    request->http.body_bytes = used + strlen(request->body + used);
    return true;
}

static bool begin_form(struct cprof_token_request *request, const char *url, const char *grant_type)
{
    return begin(request, "POST", url) &&
           add_header(request, "content-type", "", "application/x-www-form-urlencoded") &&
           add_field(request, "grant_type", grant_type);
}

static bool no_room(struct cprof_error *error, const struct cprof_key_file *file)
{
    return cprof_fail(error, "key file %.200s: no memory for the request, or it is too long",
                      file->path);
}

bool cprof_token_request_assertion(struct cprof_token_request *request,
                                   const struct cprof_key_file *file, int64_t now_unix_s,
                                   struct cprof_error *error)
{
    struct cprof_jwt_claims claims = {
        .issuer = file->client_email,
        .audience = ASSERTION_AUDIENCE,
        .scope = file->impersonation_url[0] ? CPROF_SCOPE_IAM : CPROF_SCOPE_PROFILING,
        .key_id = file->key_id,
        .issued_unix_s = now_unix_s,
        .lifetime_s = ASSERTION_LIFETIME_S,
    };
    char *assertion = cprof_jwt_sign(file->key, &claims);
    bool ok = begin_form(request, file->token_url, "urn:ietf:params:oauth:grant-type:jwt-bearer") &&
              assertion && add_field(request, "assertion", assertion);

    cprof_secret_free(assertion);
    return ok ? true : no_room(error, file);
}

bool cprof_token_request_refresh(struct cprof_token_request *request,
                                 const struct cprof_key_file *file, struct cprof_error *error)
{
    return begin_form(request, file->token_url, "refresh_token") &&
                   add_field(request, "client_id", file->client_id) &&
                   add_field(request, "client_secret", file->client_secret) &&
                   add_field(request, "refresh_token", file->refresh_token)
               ? true
               : no_room(error, file);
}

bool cprof_token_request_subject(struct cprof_token_request *request,
                                 const struct cprof_key_file *file, struct cprof_error *error)
{
    bool ok = begin(request, "GET", file->source_url);
    const char *name;
    json_t *value;

    /* The iteration needs the type without const and changes nothing. */
    json_object_foreach((json_t *)file->source_headers, name, value)
    {
        ok = ok && add_header(request, name, "", json_string_value(value));
    }
    request->http.plain_allowed = true;
    /* Behind http:// is a server of the machine itself, which no proxy reaches. */
    request->http.direct = strncmp(file->source_url, "http:", 5) == 0;
    return ok ? true : no_room(error, file);
}

/* HTTP basic of RFC 6749, 2.3.1, with the names encoded as in a form. */
static bool add_basic(struct cprof_token_request *request, const struct cprof_key_file *file)
{
    unsigned char plain[8192], encoded[sizeof(plain) / 3 * 4 + 5];
    char *text = (char *)plain;
    size_t used;
    bool ok = false;

    if (!file->client_id[0]) {
        return true;
    }
    if (cprof_http_encode(text, sizeof(plain) - 1, file->client_id)) {
        used = strlen(text);
        text[used++] = ':';
        ok = cprof_http_encode(text + used, sizeof(plain) - used, file->client_secret);
    }
    if (ok) {
        (void)EVP_EncodeBlock(encoded, plain, (int)strlen(text));
        ok = add_header(request, "authorization", "Basic ", (const char *)encoded);
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    OPENSSL_cleanse(encoded, sizeof(encoded));
    return ok;
}

/* Users of a workforce pool who are no clients say whose quota they use. */
static bool add_workforce_project(struct cprof_token_request *request,
                                  const struct cprof_key_file *file)
{
    char options[512];
    json_t *json;
    size_t bytes;

    if (!file->workforce_project[0] || file->client_id[0]) {
        return true;
    }
    json = json_pack("{s:s}", "userProject", file->workforce_project);
    bytes = json ? json_dumpb(json, options, sizeof(options) - 1, JSON_COMPACT) : 0;
    json_decref(json);
    if (bytes == 0 || bytes >= sizeof(options)) {
        return false;
    }
    options[bytes] = '\0';
    return add_field(request, "options", options);
}

bool cprof_token_request_exchange(struct cprof_token_request *request,
                                  const struct cprof_key_file *file, const char *subject_token,
                                  struct cprof_error *error)
{
    const char *scope = file->impersonation_url[0] ? CPROF_SCOPE_IAM : CPROF_SCOPE_PROFILING;

    return begin_form(request, file->token_url,
                      "urn:ietf:params:oauth:grant-type:token-exchange") &&
                   add_field(request, "audience", file->audience) &&
                   add_field(request, "scope", scope) &&
                   add_field(request, "requested_token_type",
                             "urn:ietf:params:oauth:token-type:access_token") &&
                   add_field(request, "subject_token", subject_token) &&
                   add_field(request, "subject_token_type", file->subject_token_type) &&
                   add_workforce_project(request, file) && add_basic(request, file)
               ? true
               : no_room(error, file);
}

static bool put_json(struct cprof_token_request *request, json_t *json)
{
    size_t bytes = json ? json_dumpb(json, request->body, BODY_BYTES, JSON_COMPACT) : 0;

    json_decref(json);
    request->http.body_bytes = bytes;
    return bytes > 0 && bytes <= BODY_BYTES;
}

bool cprof_token_request_impersonation(struct cprof_token_request *request,
                                       const struct cprof_key_file *file, const char *first_token,
                                       struct cprof_error *error)
{
    char lifetime[32];

    (void)snprintf(lifetime, sizeof(lifetime), "%llds", (long long)file->impersonation_lifetime_s);
    return begin(request, "POST", file->impersonation_url) &&
                   add_header(request, "content-type", "", "application/json") &&
                   add_header(request, "authorization", "Bearer ", first_token) &&
                   (!file->quota_project[0] ||
                    add_header(request, "x-goog-user-project", "", file->quota_project)) &&
                   put_json(request,
                            json_pack("{s:O*, s:[s], s:s}", "delegates", file->delegates, "scope",
                                      CPROF_SCOPE_PROFILING, "lifetime", lifetime))
               ? true
               : no_room(error, file);
}

void cprof_token_request_reset(struct cprof_token_request *request)
{
    if (request->body) {
        explicit_bzero(request->body, BODY_BYTES);
        free(request->body);
    }
    for (unsigned i = 0; i < CPROF_HTTP_HEADERS_MAX; i++) {
        cprof_secret_free(request->headers[i]);
    }
    *request = (struct cprof_token_request){0};
}
