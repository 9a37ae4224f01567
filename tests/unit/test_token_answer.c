/* test_token_answer.c - see gateway/credentials/token_answer.h and subject_token.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../../gateway/credentials/secret.h"
#include "../../gateway/credentials/subject_token.h"
#include "../../gateway/credentials/token_answer.h"
#include "expect.h"

#define NOW INT64_C(1795357537) /* 2026-11-22T14:25:37Z */

static struct cprof_token_answer answer;
static struct cprof_error error;

static bool reads(const char *text)
{
    return cprof_token_answer_read(&answer, text, strlen(text), &error);
}

static void refused(const char *text, const char *reason)
{
    EXPECT(!reads(text));
    EXPECT(strstr(error.text, reason));
}

static void a_token_and_its_lifetime_are_read(void)
{
    EXPECT(reads("{\"access_token\": \"ya29.a\", \"expires_in\": 3599, \"token_type\": \"Bearer\","
                 " \"scope\": \"x\"}"));
    EXPECT(strcmp(answer.token, "ya29.a") == 0 && answer.lifetime_s == 3599);
    EXPECT(answer.refresh_token[0] == '\0');
    EXPECT(
        reads("{\"access_token\": \"a\", \"expires_in\": \"3598\", \"refresh_token\": \"1//r\"}"));
    EXPECT(answer.lifetime_s == 3598 && strcmp(answer.refresh_token, "1//r") == 0);
    EXPECT(reads("{\"access_token\": \"a\", \"expires_in\": 12.5}") && answer.lifetime_s == 12);
    EXPECT(reads("{\"access_token\": \"a\"}") && answer.lifetime_s == 3600);
    EXPECT(reads("{\"access_token\": \"a\", \"expires_in\": 9e99}") && answer.lifetime_s == 86400);
    EXPECT(reads("{\"access_token\": \"a\", \"expires_in\": 999999999}"));
    EXPECT(answer.lifetime_s == 86400);
}

static void answers_of_other_shapes_are_refused(void)
{
    refused("", "not a JSON object");
    refused("<html>502</html>", "not a JSON object");
    refused("[]", "not a JSON object");
    refused("{\"access_token\": \"a\"", "not a JSON object");
    refused("{}", "\"access_token\"");
    refused("{\"access_token\": 7}", "\"access_token\"");
    refused("{\"access_token\": \"\"}", "\"access_token\"");
    refused("{\"access_token\": \"a\\r\\nX-Evil: 1\"}", "\"access_token\"");
    refused("{\"access_token\": \"a b\"}", "\"access_token\"");
    refused("{\"access_token\": \"caf\\u00e9\"}", "\"access_token\"");
    refused("{\"access_token\": \"a\", \"expires_in\": 0}", "\"expires_in\"");
    refused("{\"access_token\": \"a\", \"expires_in\": -5}", "\"expires_in\"");
    refused("{\"access_token\": \"a\", \"expires_in\": \"soon\"}", "\"expires_in\"");
    refused("{\"access_token\": \"a\", \"expires_in\": \"99999999999999999999\"}",
            "\"expires_in\"");
    refused("{\"access_token\": \"a\", \"expires_in\": null}", "\"expires_in\"");
    refused("{\"access_token\": \"a\", \"token_type\": \"mac\"}", "\"token_type\"");
}

static void a_token_fits_or_is_refused(void)
{
    static char text[CPROF_TOKEN_BYTES + 100];
    size_t head = strlen("{\"access_token\": \"");

    memset(text, 'a', sizeof(text));
    memcpy(text, "{\"access_token\": \"", head);
    memcpy(text + head + CPROF_TOKEN_BYTES - 1, "\"}", 3);
    EXPECT(reads(text) && strlen(answer.token) == CPROF_TOKEN_BYTES - 1);
    memset(text + head, 'a', CPROF_TOKEN_BYTES);
    memcpy(text + head + CPROF_TOKEN_BYTES, "\"}", 3);
    refused(text, "\"access_token\"");
}

static bool reads_impersonated(const char *text)
{
    return cprof_token_answer_read_impersonated(&answer, text, strlen(text), NOW, &error);
}

static void an_impersonated_token_lives_until_a_time(void)
{
    EXPECT(
        reads_impersonated("{\"accessToken\": \"imp\", \"expireTime\": \"2026-11-22T15:25:37Z\"}"));
    EXPECT(strcmp(answer.token, "imp") == 0 && answer.lifetime_s == 3600);
    EXPECT(reads_impersonated(
        "{\"accessToken\": \"imp\", \"expireTime\": \"2026-11-22T14:25:38.987654321Z\"}"));
    EXPECT(answer.lifetime_s == 1);
    EXPECT(
        !reads_impersonated("{\"accessToken\": \"a\", \"expireTime\": \"2026-11-22T14:25:37Z\"}"));
    EXPECT(strstr(error.text, "not in the future"));
    EXPECT(
        !reads_impersonated("{\"accessToken\": \"a\", \"expireTime\": \"2026-11-22T15:25:37\"}"));
    EXPECT(
        !reads_impersonated("{\"accessToken\": \"a\", \"expireTime\": \" 2026-11-22T15:25:37Z\"}"));
    EXPECT(
        !reads_impersonated("{\"accessToken\": \"a\", \"expireTime\": \"2026-13-22T15:25:37Z\"}"));
    EXPECT(!reads_impersonated("{\"accessToken\": \"a\", \"expireTime\": \"in an hour\"}"));
    EXPECT(!reads_impersonated("{\"accessToken\": \"a\"}"));
    EXPECT(!reads_impersonated("{\"expireTime\": \"2026-11-22T15:25:37Z\"}"));
    EXPECT(!reads_impersonated("nothing"));
}

static void trouble(const char *text, const char *wanted)
{
    char got[CPROF_TOKEN_TROUBLE_BYTES];

    cprof_token_answer_trouble(got, text, strlen(text));
    if (strcmp(got, wanted) != 0) {
        (void)fprintf(stderr, "got %s\n", got);
    }
    EXPECT(strcmp(got, wanted) == 0);
}

static void errors_are_told_as_code_and_sentence(void)
{
    trouble("{\"error\": \"invalid_grant\", \"error_description\": \"Invalid JWT Signature.\"}",
            "invalid_grant (Invalid JWT Signature.)");
    trouble("{\"error\": \"invalid_client\"}", "invalid_client");
    trouble("{\"error\": {\"code\": 403, \"status\": \"PERMISSION_DENIED\", \"message\": \"No.\"}}",
            "PERMISSION_DENIED (No.)");
    trouble("{\"error\": {\"message\": \"No.\"}}", "(No.)");
    trouble("{\"error\": [1, {\"status\": 3}]}", "");
    trouble("{\"error\": 7, \"error_description\": {}}", "");
    trouble("<html>", "");
    trouble("", "");
}

static void errors_are_cleaned_and_cut(void)
{
    static char text[4096];
    char got[CPROF_TOKEN_TROUBLE_BYTES];

    trouble("{\"error\": \"a\\nb\\u001b[2Jc\\u00e9\"}", "a?b?[2Jc??");
    (void)snprintf(text, sizeof(text), "{\"error\": \"x\", \"error_description\": \"%0*d\"}", 9, 1);
    for (size_t i = 0; i < 300; i++) {
        memcpy(text + 40 + i * 2, "a ", 2);
    }
    memcpy(text + 640, "\"}", 3);
    cprof_token_answer_trouble(got, text, strlen(text));
    EXPECT(strlen(got) == CPROF_TOKEN_TROUBLE_BYTES - 1 && got[strlen(got) - 1] == ')');
}

static void what_may_be_a_secret_is_hidden(void)
{
    trouble("{\"error\": \"invalid_grant\", \"error_description\":"
            " \"Bad assertion eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln_-c2ln, sorry\"}",
            "invalid_grant (Bad assertion [...], sorry)");
    trouble("{\"error\": \"x\", \"error_description\": \"secret 'GOCSPX-abcdefghijklmnopqrstuv'\"}",
            "x (secret '[...]')");
}

static void hides(const char *before, const char *after)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%s", before);
    cprof_secret_hide(text, "ya29.a0123456789-long");
    EXPECT(strcmp(text, after) == 0);
}

static void a_quoted_token_is_hidden_and_nothing_else(void)
{
    char text[] = "abc abcdefgh";

    hides("Bearer ya29.a0123456789-long, no", "Bearer [...], no");
    hides("ya29.a0123456789-longya29.a0123456789-long", "[...][...]");
    hides("ya29.ya29.a0123456789-lo", "ya29.[...]");
    hides("ya29.a0123456789-lost", "[...]st");
    hides("ya29.a012345678", "ya29.a012345678");
    hides("", "");
    cprof_secret_hide(text, "abc");
    EXPECT(strcmp(text, "abc abcdefgh") == 0);
    cprof_secret_hide(text, "abcdef");
    EXPECT(strcmp(text, "abc [...]gh") == 0);
}

static bool reads_subject(char token[CPROF_TOKEN_BYTES], const char *text, const char *field)
{
    return cprof_subject_token_read(token, text, strlen(text), field, "/token", &error);
}

static void a_subject_token_is_text_or_a_field_of_json(void)
{
    char token[CPROF_TOKEN_BYTES];

    EXPECT(reads_subject(token, "a.b.c", "") && strcmp(token, "a.b.c") == 0);
    EXPECT(reads_subject(token, "a.b.c\r\n", "") && strcmp(token, "a.b.c") == 0);
    EXPECT(reads_subject(token, "{\"t\": \"x.y\", \"n\": 1}", "t") && strcmp(token, "x.y") == 0);
    EXPECT(!reads_subject(token, "", "") && strstr(error.text, "/token: "));
    EXPECT(!reads_subject(token, "\n", ""));
    EXPECT(!cprof_subject_token_read(token, "a\0b", 3, "", "/token", &error));
    EXPECT(!reads_subject(token, "x.y", "t") && strstr(error.text, "not JSON (line 1)"));
    EXPECT(!reads_subject(token, "{\"n\": 1}", "n") && strstr(error.text, "\"n\""));
    EXPECT(!reads_subject(token, "{\"t\": \"\"}", "t"));
    EXPECT(!reads_subject(token, "[]", "t"));
}

int main(void)
{
    cprof_secret_guard_libraries();
    RUN(a_token_and_its_lifetime_are_read);
    RUN(answers_of_other_shapes_are_refused);
    RUN(a_token_fits_or_is_refused);
    RUN(an_impersonated_token_lives_until_a_time);
    RUN(errors_are_told_as_code_and_sentence);
    RUN(errors_are_cleaned_and_cut);
    RUN(what_may_be_a_secret_is_hidden);
    RUN(a_quoted_token_is_hidden_and_nothing_else);
    RUN(a_subject_token_is_text_or_a_field_of_json);
    return 0;
}
