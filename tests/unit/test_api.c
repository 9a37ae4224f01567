/* test_api.c - see gateway/cloud/api.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/cloud/api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

#define SECOND_NS UINT64_C(1000000000)
#define PROJECT   "lab-project"
#define NAME      "projects/lab-project/profiles/611cef3e72e867ec"

static struct cprof_deployment full_deployment(void)
{
    return (struct cprof_deployment){
        .project_id = PROJECT,
        .service = "shop",
        .version = "2.0",
        .zone = "us-central1-a",
        .instance = "shop-7",
    };
}

static bool reads(struct cprof_session *session, const char *text, uint32_t kinds,
                  struct cprof_error *error)
{
    bool ok;

    error->text[0] = '\0';
    ok = cprof_session_read(session, text, strlen(text), PROJECT, kinds, error);
    EXPECT(ok == (error->text[0] == '\0'));
    return ok;
}

/* Whether an answer that offers this text is refused, with a sentence that has `what` in it. */
static bool refused(const char *text, const char *what)
{
    struct cprof_session session;
    struct cprof_error error;

    if (reads(&session, text, CPROF_KINDS_ALL, &error)) {
        cprof_session_reset(&session);
        return false;
    }
    return strstr(error.text, what);
}

static void a_create_goes_to_its_project(void)
{
    struct cprof_deployment deployment = full_deployment();
    char path[64];

    EXPECT(cprof_api_create_path(path, sizeof(path), &deployment));
    EXPECT(strcmp(path, "/v2/projects/lab-project/profiles") == 0);
    EXPECT(cprof_api_create_path(path, strlen(path) + 1, &deployment));
    EXPECT(!cprof_api_create_path(path, strlen(path), &deployment));
    (void)snprintf(deployment.project_id, sizeof(deployment.project_id), "example.com:shop-1");
    EXPECT(cprof_api_create_path(path, sizeof(path), &deployment));
    EXPECT(strcmp(path, "/v2/projects/example.com:shop-1/profiles") == 0);
}

static void what_is_no_project_has_no_path(void)
{
    static const char *const ids[] = {"",        "short",    "1project", "Project",  "pro/ject",
                                      "projec?", "project-", "../../..", "pro ject", "proj\nect"};
    char path[128];

    for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct cprof_deployment deployment = full_deployment();

        (void)snprintf(deployment.project_id, sizeof(deployment.project_id), "%s", ids[i]);
        EXPECT(!cprof_api_create_path(path, sizeof(path), &deployment));
    }
}

static void a_create_names_deployment_and_kinds(void)
{
    struct cprof_deployment deployment = full_deployment();
    char *body = cprof_api_create_body(&deployment, CPROF_KINDS_ALL);

    EXPECT(strcmp(body, "{\"deployment\":{\"projectId\":\"lab-project\",\"target\":\"shop\","
                        "\"labels\":{\"language\":\"python\",\"version\":\"2.0\","
                        "\"zone\":\"us-central1-a\"}},\"profileType\":[\"CPU\",\"WALL\"]}") == 0);
    free(body);
    deployment.version[0] = deployment.zone[0] = '\0';
    body = cprof_api_create_body(&deployment, CPROF_KIND_WALL);
    EXPECT(strcmp(body, "{\"deployment\":{\"projectId\":\"lab-project\",\"target\":\"shop\","
                        "\"labels\":{\"language\":\"python\"}},\"profileType\":[\"WALL\"]}") == 0);
    free(body);
}

static void any_bytes_in_a_label_make_sound_json(void)
{
    struct cprof_deployment deployment = full_deployment();
    json_t *root;
    const char *version;
    char *body;

    memset(deployment.version, 0xff, sizeof(deployment.version) - 1);
    (void)snprintf(deployment.zone, sizeof(deployment.zone), "a\"b\\c\n");
    body = cprof_api_create_body(&deployment, CPROF_KIND_CPU);
    root = json_loads(body, 0, NULL);
    EXPECT(json_unpack(root, "{s:{s:{s:s}}}", "deployment", "labels", "version", &version) == 0);
    EXPECT(strlen(version) > 0 && strlen(version) <= CPROF_API_LABEL_BYTES_MAX);
    json_decref(root);
    free(body);
}

static void a_session_is_read(void)
{
    struct cprof_session session;
    struct cprof_error error;

    EXPECT(reads(&session,
                 "{ \"name\": \"" NAME "\", \"profileType\": \"WALL\", \"duration\": \"1.500s\",\n"
                 "  \"deployment\": {\"projectId\": \"lab-project\"}, \"unknownField\": [1, 2.5] }",
                 CPROF_KINDS_ALL, &error));
    EXPECT(strcmp(session.name, NAME) == 0 && session.kind == CPROF_KIND_WALL);
    EXPECT(session.duration_ns == 3 * SECOND_NS / 2);
    EXPECT(strcmp(session.json,
                  "{\"name\":\"" NAME "\",\"profileType\":\"WALL\",\"duration\":\"1.500s\","
                  "\"deployment\":{\"projectId\":\"lab-project\"},\"unknownField\":[1,2.5]}") == 0);
    cprof_session_reset(&session);
    EXPECT(!session.json);
}

static void a_session_reads_its_own_text(void)
{
    static const char answer[] =
        "{\"name\":\"" NAME "\",\"profileType\":\"CPU\",\"duration\":\"600s\",\"labels\":null}";
    struct cprof_session session, again;
    struct cprof_error error;

    EXPECT(reads(&session, answer, CPROF_KIND_CPU, &error));
    EXPECT(reads(&again, session.json, CPROF_KIND_CPU, &error));
    EXPECT(strcmp(session.json, again.json) == 0 && again.duration_ns == 600 * SECOND_NS);
    cprof_session_reset(&session);
    cprof_session_reset(&again);
}

#define WITH_NAME(name) "{\"name\":" name ",\"profileType\":\"CPU\",\"duration\":\"10s\"}"

static void a_name_may_hold_the_project_s_number(void)
{
    struct cprof_session session;
    struct cprof_error error;

    EXPECT(reads(&session, WITH_NAME("\"projects/123456789/profiles/611cef3e72e867ec\""),
                 CPROF_KINDS_ALL, &error));
    EXPECT(strcmp(session.name, "projects/123456789/profiles/611cef3e72e867ec") == 0);
    cprof_session_reset(&session);
}

static void names_that_are_none_are_refused(void)
{
    static const char *const answers[] = {
        "{\"profileType\":\"CPU\",\"duration\":\"10s\"}",
        WITH_NAME("null"),
        WITH_NAME("7"),
        WITH_NAME("\"\""),
        WITH_NAME("\"projects/lab-project/profiles/\""),
        WITH_NAME("\"projects/other-project/profiles/611cef3e72e867ec\""),
        WITH_NAME("\"projects/123x/profiles/611cef3e72e867ec\""),
        WITH_NAME("\"projects//profiles/611cef3e72e867ec\""),
        WITH_NAME("\"projects/lab-projectx/profiles/611cef3e72e867ec\""),
        WITH_NAME("\"projects/lab-project/profiles/..\""),
        WITH_NAME("\"projects/lab-project/profiles/.hidden\""),
        WITH_NAME("\"projects/lab-project/profiles/a/b\""),
        WITH_NAME("\"projects/lab-project/profiles/a?b\""),
        WITH_NAME("\"projects/lab-project/profiles/a%2fb\""),
        WITH_NAME("\"projects/lab-project/profiles/a b\""),
        WITH_NAME("\"projects/lab-project/profiles/a\\r\\nHost: x\""),
        WITH_NAME("\"/projects/lab-project/profiles/a\""),
        WITH_NAME("\"https://example.com/projects/lab-project/profiles/a\""),
    };

    for (unsigned i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        EXPECT(refused(answers[i], "no name of a profile of project lab-project"));
    }
}

static void a_name_must_fit(void)
{
    char name[CPROF_API_TEXT_BYTES + 1], answer[2 * sizeof(name)];
    struct cprof_session session;
    struct cprof_error error;

    memset(name, 'a', sizeof(name));
    memcpy(name, NAME, sizeof(NAME) - 1);
    name[CPROF_API_TEXT_BYTES] = '\0';
    (void)snprintf(answer, sizeof(answer), WITH_NAME("\"%s\""), name);
    EXPECT(refused(answer, "no name"));
    name[CPROF_API_TEXT_BYTES - 1] = '\0';
    (void)snprintf(answer, sizeof(answer), WITH_NAME("\"%s\""), name);
    EXPECT(reads(&session, answer, CPROF_KINDS_ALL, &error));
    EXPECT(strcmp(session.name, name) == 0);
    cprof_session_reset(&session);
}

static void kinds_that_were_not_offered_are_refused(void)
{
    struct cprof_session session;
    struct cprof_error error;

    EXPECT(!reads(&session, WITH_NAME("\"" NAME "\""), CPROF_KIND_WALL, &error));
    EXPECT(strstr(error.text, "type \"CPU\", which was not offered"));
    EXPECT(refused("{\"name\":\"" NAME "\",\"profileType\":\"HEAP\",\"duration\":\"10s\"}",
                   "type \"HEAP\""));
    EXPECT(refused("{\"name\":\"" NAME "\",\"profileType\":[\"CPU\"],\"duration\":\"10s\"}",
                   "type \"\""));
    EXPECT(refused("{\"name\":\"" NAME "\",\"profileType\":\"a\\nb\",\"duration\":\"10s\"}",
                   "type \"a"));
    EXPECT(refused("{\"name\":\"" NAME "\",\"duration\":\"10s\"}", "type \"\""));
}

#define WITH_DURATION(duration)                                                                    \
    "{\"name\":\"" NAME "\",\"profileType\":\"CPU\",\"duration\":" duration "}"

static void durations_beyond_reason_are_refused(void)
{
    EXPECT(refused(WITH_DURATION("\"0s\""), "profile of \"0s\""));
    EXPECT(refused(WITH_DURATION("\"-10s\""), "profile of \"-10s\""));
    EXPECT(refused(WITH_DURATION("\"600.000000001s\""), "up to 600s"));
    EXPECT(refused(WITH_DURATION("\"3600s\""), "up to 600s"));
    EXPECT(refused(WITH_DURATION("\"10\""), "profile of \"10\""));
    EXPECT(refused(WITH_DURATION("10"), "profile of \"\""));
    EXPECT(refused(WITH_DURATION("{\"seconds\":10}"), "profile of \"\""));
    EXPECT(refused("{\"name\":\"" NAME "\",\"profileType\":\"CPU\"}", "profile of \"\""));
}

static void other_answers_are_refused(void)
{
    EXPECT(refused("", "no JSON object"));
    EXPECT(refused("<html></html>", "no JSON object"));
    EXPECT(refused("[]", "no JSON object"));
    EXPECT(refused("null", "no JSON object"));
    EXPECT(refused(WITH_NAME("\"" NAME "\"") "x", "no JSON object"));
    EXPECT(refused("{\"name\":\"" NAME "\",\"name\":\"" NAME "\"}", "no JSON object"));
    EXPECT(refused("{\"name\":\"" NAME "\\u0000\"}", "no JSON object"));
    EXPECT(refused("{\"name\":\"" NAME
                   "\",\"profileType\":\"CPU\",\"duration\":\"10s\",\"labels\":[]}",
                   "labels"));
}

/* An answer whose compact JSON has `bytes` bytes. */
static bool padded_is_taken(size_t bytes)
{
    static const char start[] =
        "{\"name\":\"" NAME "\",\"profileType\":\"CPU\",\"duration\":\"10s\",\"unknown\":\"";
    struct cprof_session session;
    struct cprof_error error;
    char *answer = malloc(bytes);
    bool ok;

    EXPECT(answer);
    memset(answer, 'x', bytes);
    memcpy(answer, start, sizeof(start) - 1);
    memcpy(answer + bytes - 2, "\"}", 2);
    ok = cprof_session_read(&session, answer, bytes, PROJECT, CPROF_KIND_CPU, &error);
    EXPECT(!ok || strlen(session.json) == bytes);
    free(answer);
    cprof_session_reset(&session);
    return ok;
}

static void a_session_must_fit_into_a_ticket(void)
{
    EXPECT(padded_is_taken(CPROF_TICKET_BYTES_MAX));
    EXPECT(!padded_is_taken(CPROF_TICKET_BYTES_MAX + 1));
    EXPECT(!padded_is_taken(CPROF_API_ANSWER_BYTES_MAX));
    EXPECT(!padded_is_taken(CPROF_API_ANSWER_BYTES_MAX + 1));
}

static void an_update_echoes_the_session_with_bytes_and_instance(void)
{
    static const uint8_t bytes[] = {0x1f, 0x8b, 0xff, 0xfe};
    struct cprof_deployment deployment = full_deployment();
    struct cprof_session session;
    struct cprof_error error;
    char *body;

    EXPECT(reads(&session,
                 "{\"name\":\"" NAME "\",\"profileType\":\"CPU\",\"duration\":\"10s\","
                 "\"unknownField\":\"keepme\",\"labels\":{\"fromserver\":\"yes\"}}",
                 CPROF_KIND_CPU, &error));
    body = cprof_api_update_body(&session, &deployment, bytes, sizeof(bytes));
    EXPECT(strcmp(body, "{\"name\":\"" NAME "\",\"profileType\":\"CPU\",\"duration\":\"10s\","
                        "\"unknownField\":\"keepme\",\"labels\":{\"fromserver\":\"yes\","
                        "\"instance\":\"shop-7\"},\"profileBytes\":\"H4v//g==\"}") == 0);
    free(body);
    cprof_session_reset(&session);
}

static void an_update_makes_labels_where_there_are_none(void)
{
    struct cprof_deployment deployment = full_deployment();
    struct cprof_session session;
    struct cprof_error error;
    char *body;

    EXPECT(reads(&session,
                 "{\"name\":\"" NAME
                 "\",\"profileType\":\"CPU\",\"duration\":\"10s\",\"labels\":null}",
                 CPROF_KIND_CPU, &error));
    body = cprof_api_update_body(&session, &deployment, (const uint8_t *)"abc", 3);
    EXPECT(strstr(body, "\"labels\":{\"instance\":\"shop-7\"},\"profileBytes\":\"YWJj\"}"));
    free(body);
    deployment.instance[0] = '\0';
    body = cprof_api_update_body(&session, &deployment, (const uint8_t *)"", 0);
    EXPECT(strstr(body, "\"labels\":null,\"profileBytes\":\"\"}"));
    free(body);
    EXPECT(!cprof_api_update_body(&session, &deployment, (const uint8_t *)"",
                                  CPROF_API_PROFILE_BYTES_MAX + 1));
    cprof_session_reset(&session);
}

static void a_large_profile_is_one_line_of_base64(void)
{
    enum { BYTES = 3 * 1000 * 1000 };
    struct cprof_deployment deployment = full_deployment();
    struct cprof_session session;
    struct cprof_error error;
    uint8_t *bytes = calloc(1, BYTES);
    const char *base64;
    json_t *root;
    char *body;

    EXPECT(bytes && reads(&session, WITH_NAME("\"" NAME "\""), CPROF_KIND_CPU, &error));
    body = cprof_api_update_body(&session, &deployment, bytes, BYTES);
    root = json_loads(body, 0, NULL);
    EXPECT(json_unpack(root, "{s:s}", "profileBytes", &base64) == 0);
    EXPECT(strlen(base64) == BYTES / 3 * 4 && strspn(base64, "A") == BYTES / 3 * 4);
    json_decref(root);
    free(body);
    free(bytes);
    cprof_session_reset(&session);
}

#define HEAD_BYTES 16

/* As in credentials/: memory with a head of its own, which free() would not take. */
static void *headed_malloc(size_t bytes)
{
    char *memory = malloc(bytes + HEAD_BYTES);

    return memory ? memory + HEAD_BYTES : NULL;
}

static void headed_free(void *memory)
{
    if (memory) {
        free((char *)memory - HEAD_BYTES);
    }
}

static void another_allocator_of_jansson_does_not_matter(void)
{
    json_set_alloc_funcs(headed_malloc, headed_free);
    a_create_names_deployment_and_kinds();
    a_session_is_read();
    an_update_echoes_the_session_with_bytes_and_instance();
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    RUN(a_create_goes_to_its_project);
    RUN(what_is_no_project_has_no_path);
    RUN(a_create_names_deployment_and_kinds);
    RUN(any_bytes_in_a_label_make_sound_json);
    RUN(a_session_is_read);
    RUN(a_session_reads_its_own_text);
    RUN(a_name_may_hold_the_project_s_number);
    RUN(names_that_are_none_are_refused);
    RUN(a_name_must_fit);
    RUN(kinds_that_were_not_offered_are_refused);
    RUN(durations_beyond_reason_are_refused);
    RUN(other_answers_are_refused);
    RUN(a_session_must_fit_into_a_ticket);
    RUN(an_update_echoes_the_session_with_bytes_and_instance);
    RUN(an_update_makes_labels_where_there_are_none);
    RUN(a_large_profile_is_one_line_of_base64);
    RUN(another_allocator_of_jansson_does_not_matter);
    return 0;
}
