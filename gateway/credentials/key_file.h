/* key_file.h - what a JSON key file of Google Cloud says, checked.
 *
 * Callers   the gateway's thread. Pure: the file is read already.
 * Kinds     service_account, authorized_user, external_account, and impersonated_service_account,
 *           which holds one of the others as its source.
 * Memory    the texts are borrowed from the parsed JSON, which the structure owns; it is wiped when
 *           freed (secret.h), and the private key's text as soon as the key is made of it.
 * Trust     the file is the operator's: faults get a message each, secrets never stand in it.
 * Servers   what a key file names is asked by https:// alone. A subject token may come by http://:
 *           such servers stand on the machine itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_KEY_FILE_H
#define CPROF_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/error.h"
#include "jwt.h"

#define CPROF_KEY_SOURCE_HEADERS_MAX 8u
#define CPROF_KEY_DELEGATES_MAX      16u

/* How the first token is got. */
enum cprof_key_kind {
    CPROF_KEY_SERVICE_ACCOUNT,
    CPROF_KEY_AUTHORIZED_USER,
    CPROF_KEY_EXTERNAL_ACCOUNT,
};

struct json_t;

/* Texts are never NULL; empty: not said. */
struct cprof_key_file {
    enum cprof_key_kind kind;
    char *path;
    struct json_t *json;
    const char *project_id;
    const char *quota_project;
    const char *token_url;

    struct cprof_jwt_key *key; /* service_account */
    const char *client_email;
    const char *key_id;

    const char *client_id; /* authorized_user, and external_account for HTTP basic */
    const char *client_secret;
    const char *refresh_token;

    const char *audience; /* external_account */
    const char *subject_token_type;
    const char *workforce_project;
    const char *source_file; /* either this */
    const char *source_url;  /* or this */
    const char *source_field;
    const struct json_t *source_headers; /* an object of texts; NULL: none */

    const char *impersonation_url;  /* empty: the first token is the one that is wanted */
    const struct json_t *delegates; /* an array of texts; NULL: none */
    int64_t impersonation_lifetime_s;
};

/* Reads the text of the file at `path`. False with the error; then there is nothing to reset. */
bool cprof_key_file_read(struct cprof_key_file *file, const char *text, size_t text_bytes,
                         const char *path, struct cprof_error *error) CPROF_MUST_USE;
/* Frees what it holds; does nothing for one that is all zero. */
void cprof_key_file_reset(struct cprof_key_file *file);

/* A server gave a new refresh token, which replaces the old one in memory. Without memory the old
 * one stays. */
void cprof_key_file_renew(struct cprof_key_file *file, const char *refresh_token);

#endif
