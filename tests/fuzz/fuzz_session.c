/* fuzz_session.c - answers of create, and tickets of windows, which are read by the same function
 * (gateway/cloud/api.h). What is taken must read as itself again and make a sound update.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/cloud/api.h"
#include "../unit/expect.h"
#include "fuzz.h"

#define PROJECT "lab-project"

static void check_update(const struct cprof_session *session)
{
    static const uint8_t bytes[] = {0x1f, 0x8b, 8, 0, 0};
    static const struct cprof_deployment deployment = {
        .project_id = PROJECT, .service = "shop", .instance = "i"};
    char *body = cprof_api_update_body(session, &deployment, bytes, sizeof(bytes));
    const char *instance, *base64;
    json_t *root;

    EXPECT(body);
    root = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    EXPECT(json_unpack(root, "{s:s, s:{s:s}}", "profileBytes", &base64, "labels", "instance",
                       &instance) == 0);
    EXPECT(strcmp(base64, "H4sIAAA=") == 0 && strcmp(instance, "i") == 0);
    json_decref(root);
    free(body);
}

static void check_again(const struct cprof_session *session)
{
    struct cprof_session again;
    struct cprof_error error;

    EXPECT(cprof_session_read(&again, session->json, strlen(session->json), PROJECT,
                              CPROF_KINDS_ALL, &error));
    EXPECT(strcmp(again.name, session->name) == 0 && again.kind == session->kind);
    EXPECT(again.duration_ns == session->duration_ns);
    EXPECT(strcmp(again.json, session->json) == 0);
    cprof_session_reset(&again);
}

/* projects/ID/profiles/OPAQUE, where ID is ours or a number. */
static void check_name(const char *name)
{
    const char *project = name + strlen("projects/");
    const char *profiles = strstr(name, "/profiles/");
    size_t digits = strspn(project, "0123456789");

    EXPECT(strncmp(name, "projects/", strlen("projects/")) == 0 && profiles);
    EXPECT(strncmp(project, PROJECT "/", strlen(PROJECT "/")) == 0 ||
           (digits > 0 && project + digits == profiles));
    EXPECT(!strpbrk(profiles + strlen("/profiles/"), "/?#% \r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cprof_session session;
    struct cprof_error error;

    if (!cprof_session_read(&session, (const char *)data, size, PROJECT, CPROF_KINDS_ALL, &error)) {
        EXPECT(error.text[0] != '\0' && !session.json);
        return 0;
    }
    check_name(session.name);
    EXPECT(session.duration_ns > 0 && session.duration_ns <= CPROF_API_DURATION_NS_MAX);
    EXPECT(session.kind == CPROF_KIND_CPU || session.kind == CPROF_KIND_WALL);
    EXPECT(strlen(session.json) <= CPROF_TICKET_BYTES_MAX);
    check_again(&session);
    check_update(&session);
    cprof_session_reset(&session);
    return 0;
}
