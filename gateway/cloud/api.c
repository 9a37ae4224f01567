/* api.c - see api.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../profile/clean_text.h"
#include "duration.h"

#define PROJECT_ID_LENGTH_MIN 6
#define PROJECT_ID_LENGTH_MAX 63

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const struct {
    enum cprof_kind kind;
    const char *name;
} profile_types[] = {
    {CPROF_KIND_CPU, "CPU"},
    {CPROF_KIND_WALL, "WALL"},
};
#define PROFILE_TYPES (sizeof(profile_types) / sizeof(*profile_types))

/* ^[a-z][-a-z0-9:.]{4,61}[a-z0-9]$ of the API's reference. */
static bool is_project_id(const char *text)
{
    size_t length = strlen(text);

    return length >= PROJECT_ID_LENGTH_MIN && length <= PROJECT_ID_LENGTH_MAX &&
           strchr(LOWER, text[0]) && strchr(LOWER DIGITS, text[length - 1]) &&
           strspn(text, LOWER DIGITS "-:.") == length;
}

bool cprof_api_create_path(char *path, size_t path_bytes, const struct cprof_deployment *deployment)
{
    int length;

    if (!is_project_id(deployment->project_id)) {
        return false;
    }
    length = snprintf(path, path_bytes, "/v2/projects/%s/profiles", deployment->project_id);
    return length > 0 && (size_t)length < path_bytes;
}

/* Sets a label unless its value is empty. Host names and the metadata server's answers may be any
 * bytes; JSON may not. */
static bool set_label(json_t *labels, const char *name, const char *value)
{
    char clean[CPROF_API_LABEL_BYTES_MAX + 1];

    if (value[0] == '\0') {
        return true;
    }
    (void)cprof_clean_text(clean, sizeof(clean), value, strlen(value));
    return json_object_set_new(labels, name, json_string(clean)) == 0;
}

static json_t *deployment_json(const struct cprof_deployment *deployment)
{
    json_t *labels = json_object();
    char service[CPROF_SERVICE_BYTES];

    if (!set_label(labels, "language", "python") ||
        !set_label(labels, "version", deployment->version) ||
        !set_label(labels, "zone", deployment->zone)) {
        json_decref(labels);
        return NULL;
    }
    (void)cprof_clean_text(service, sizeof(service), deployment->service,
                           strlen(deployment->service));
    return json_pack("{s:s, s:s, s:o}", "projectId", deployment->project_id, "target", service,
                     "labels", labels);
}

static json_t *kinds_json(uint32_t kinds)
{
    json_t *array = json_array();

    for (size_t i = 0; i < PROFILE_TYPES; i++) {
        if ((kinds & profile_types[i].kind) &&
            json_array_append_new(array, json_string(profile_types[i].name)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Compact text, malloc'd; NULL without memory. What json_dumps returns belongs to the allocator
 * that jansson was given, which may not be malloc. */
static char *text_of(const json_t *value)
{
    size_t length = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = length > 0 ? malloc(length + 1) : NULL;

    if (text && json_dumpb(value, text, length, JSON_COMPACT) != length) {
        free(text);
        return NULL;
    }
    if (text) {
        text[length] = '\0';
    }
    return text;
}

char *cprof_api_create_body(const struct cprof_deployment *deployment, uint32_t kinds)
{
    json_t *request = json_pack("{s:o, s:o}", "deployment", deployment_json(deployment),
                                "profileType", kinds_json(kinds));
    char *body = request ? text_of(request) : NULL;

    json_decref(request);
    return body;
}

#define PROJECTS "projects/"
#define PROFILES "/profiles/"

/* projects/PROJECT/profiles/OPAQUE, where PROJECT is this project's id or a number, which many of
 * Google's APIs answer with. Neither part may be a step in a path. */
static bool is_profile_name(const char *name, const char *project_id)
{
    const char *project = name + strlen(PROJECTS), *opaque;
    size_t id_bytes = strlen(project_id), digits;

    if (strlen(name) >= CPROF_API_TEXT_BYTES || strncmp(name, PROJECTS, strlen(PROJECTS)) != 0) {
        return false;
    }
    digits = strspn(project, DIGITS);
    opaque = strncmp(project, project_id, id_bytes) == 0 && project[id_bytes] == '/'
                 ? project + id_bytes
                 : project + digits;
    if (opaque == project || strncmp(opaque, PROFILES, strlen(PROFILES)) != 0) {
        return false;
    }
    opaque += strlen(PROFILES);
    return opaque[0] != '\0' && opaque[0] != '.' &&
           strspn(opaque, LOWER UPPER DIGITS "-_.~") == strlen(opaque);
}

static bool read_name(struct cprof_session *session, const json_t *root, const char *project_id,
                      struct cprof_error *error)
{
    const char *name = json_string_value(json_object_get(root, "name"));

    if (!name || !is_profile_name(name, project_id)) {
        return cprof_fail(error, "the API's answer has no name of a profile of project %s",
                          project_id);
    }
    (void)snprintf(session->name, sizeof(session->name), "%s", name);
    return true;
}

static bool read_kind(struct cprof_session *session, const json_t *root, uint32_t kinds,
                      struct cprof_error *error)
{
    const json_t *value = json_object_get(root, "profileType");
    const char *name = json_string_value(value);
    char clean[64];

    for (size_t i = 0; name && i < PROFILE_TYPES; i++) {
        if ((kinds & profile_types[i].kind) && strcmp(name, profile_types[i].name) == 0) {
            session->kind = profile_types[i].kind;
            return true;
        }
    }
    (void)cprof_clean_text(clean, sizeof(clean), name ? name : "", json_string_length(value));
    return cprof_fail(error,
                      "the API's answer asks for a profile of type \"%s\", which was not "
                      "offered",
                      clean);
}

static bool read_duration(struct cprof_session *session, const json_t *root,
                          struct cprof_error *error)
{
    const json_t *value = json_object_get(root, "duration");
    const char *text = json_string_value(value);
    char clean[64];

    if (text && cprof_api_duration(text, &session->duration_ns) && session->duration_ns > 0 &&
        session->duration_ns <= CPROF_API_DURATION_NS_MAX) {
        return true;
    }
    (void)cprof_clean_text(clean, sizeof(clean), text ? text : "", json_string_length(value));
    return cprof_fail(error, "the API's answer asks for a profile of \"%s\"; up to 600s are taken",
                      clean);
}

static bool has_sound_labels(const json_t *root)
{
    const json_t *labels = json_object_get(root, "labels");

    return !labels || json_is_null(labels) || json_is_object(labels);
}

static bool read_session(struct cprof_session *session, const json_t *root, const char *project_id,
                         uint32_t kinds, struct cprof_error *error)
{
    if (!read_name(session, root, project_id, error) || !read_kind(session, root, kinds, error) ||
        !read_duration(session, root, error)) {
        return false;
    }
    if (!has_sound_labels(root)) {
        return cprof_fail(error, "the API's answer has labels that are no object");
    }
    /* Counted first: it must fit into a window's ticket. */
    if (json_dumpb(root, NULL, 0, JSON_COMPACT) > CPROF_TICKET_BYTES_MAX) {
        return cprof_fail(error, "the API's answer has more than %u bytes", CPROF_TICKET_BYTES_MAX);
    }
    session->json = text_of(root);
    return session->json ? true : cprof_fail(error, "no memory for the API's answer");
}

bool cprof_session_read(struct cprof_session *session, const char *text, size_t text_bytes,
                        const char *project_id, uint32_t kinds, struct cprof_error *error)
{
    json_t *root;
    bool ok;

    *session = (struct cprof_session){0};
    if (text_bytes > CPROF_API_ANSWER_BYTES_MAX) {
        return cprof_fail(error, "the API's answer has %zu bytes", text_bytes);
    }
    root = json_loadb(text, text_bytes, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return cprof_fail(error, "the API's answer is no JSON object");
    }
    ok = read_session(session, root, project_id, kinds, error);
    json_decref(root);
    return ok;
}

void cprof_session_reset(struct cprof_session *session)
{
    free(session->json);
    *session = (struct cprof_session){0};
}

static json_t *base64_json(const uint8_t *bytes, size_t byte_count)
{
    size_t text_bytes = (byte_count + 2) / 3 * 4 + 1; /* with the NUL that OpenSSL writes */
    unsigned char *text = malloc(text_bytes);
    json_t *value = NULL;

    if (text) {
        int length = EVP_EncodeBlock(text, bytes, (int)byte_count);

        value = json_stringn((const char *)text, (size_t)length);
    }
    free(text);
    return value;
}

static bool add_instance(json_t *root, const struct cprof_deployment *deployment)
{
    json_t *labels = json_object_get(root, "labels");

    if (deployment->instance[0] == '\0') {
        return true;
    }
    if (!json_is_object(labels)) {
        labels = json_object();
        if (json_object_set_new(root, "labels", labels) != 0) {
            return false;
        }
    }
    return set_label(labels, "instance", deployment->instance);
}

char *cprof_api_update_body(const struct cprof_session *session,
                            const struct cprof_deployment *deployment, const uint8_t *bytes,
                            size_t byte_count)
{
    json_t *root;
    char *body = NULL;

    if (byte_count > CPROF_API_PROFILE_BYTES_MAX) {
        return NULL;
    }
    root = json_loads(session->json, 0, NULL);
    if (root && json_object_set_new(root, "profileBytes", base64_json(bytes, byte_count)) == 0 &&
        add_instance(root, deployment)) {
        body = text_of(root);
    }
    json_decref(root);
    return body;
}
