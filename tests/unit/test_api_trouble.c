/* test_api_trouble.c - see gateway/cloud/api_trouble.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../gateway/cloud/api_trouble.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

#define SECOND_NS UINT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)

static struct cprof_api_trouble trouble_of(const char *body)
{
    struct cprof_api_trouble trouble;

    memset(&trouble, 0xa5, sizeof(trouble)); /* nothing of before may shine through */
    cprof_api_read_trouble(&trouble, body, strlen(body));
    return trouble;
}

static bool says_nothing(const struct cprof_api_trouble *trouble)
{
    return trouble->status[0] == '\0' && trouble->message[0] == '\0' &&
           trouble->reason[0] == '\0' && trouble->retry_delay_ns == 0;
}

static void a_back_off_with_details_is_read(void)
{
    struct cprof_api_trouble trouble = trouble_of(
        "{\"error\":{\"code\":409,\"message\":\"generic::aborted: action throttled, backoff for "
        "33m0s\",\"status\":\"ABORTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
        "google.rpc.RetryInfo\",\"retryDelay\":\"1981.5s\"}]}}");

    EXPECT(strcmp(trouble.status, "ABORTED") == 0);
    EXPECT(strcmp(trouble.message, "generic::aborted: action throttled, backoff for 33m0s") == 0);
    EXPECT(trouble.reason[0] == '\0');
    EXPECT(trouble.retry_delay_ns == 1981 * SECOND_NS + SECOND_NS / 2);
}

static void a_back_off_in_the_sentence_alone_is_read(void)
{
    struct cprof_api_trouble trouble =
        trouble_of("{\"error\":{\"code\":409,\"message\":\"generic::aborted: action throttled, "
                   "backoff for 44m0s\",\"errors\":[{\"message\":\"generic::aborted: action "
                   "throttled, backoff for 44m0s\",\"domain\":\"global\",\"reason\":\"aborted\"}],"
                   "\"status\":\"ABORTED\"}}");

    EXPECT(strcmp(trouble.status, "ABORTED") == 0);
    EXPECT(trouble.retry_delay_ns == 44 * MINUTE_NS);
    EXPECT(strcmp(trouble.reason, "aborted") == 0);

    trouble = trouble_of("{\"error\":{\"errors\":[{\"message\":\"backoff for 1h2m3s\"}]}}");
    EXPECT(strcmp(trouble.message, "backoff for 1h2m3s") == 0);
    EXPECT(trouble.retry_delay_ns == 62 * MINUTE_NS + 3 * SECOND_NS);
}

static void a_delay_that_is_none_gives_way_to_the_sentence(void)
{
    EXPECT(
        trouble_of("{\"error\":{\"details\":[{\"retryDelay\":\"0s\"},{\"retryDelay\":\"50s\"}]}}")
            .retry_delay_ns == 50 * SECOND_NS);
    EXPECT(
        trouble_of("{\"error\":{\"message\":\"backoff for 5s\",\"details\":[{\"retryDelay\":\"-9s\""
                   "},{\"retryDelay\":7},null,[],\"x\"]}}")
            .retry_delay_ns == 5 * SECOND_NS);
}

static void the_first_delay_counts(void)
{
    EXPECT(trouble_of("{\"error\":{\"message\":\"backoff for 5s\","
                      "\"details\":[{\"retryDelay\":\"50s\"},{\"retryDelay\":\"9s\"}]}}")
               .retry_delay_ns == 50 * SECOND_NS);
}

static void the_reason_is_that_of_error_info(void)
{
    struct cprof_api_trouble trouble = trouble_of(
        "{\"error\":{\"code\":403,\"message\":\"Cloud Profiler API has not been used in project "
        "lab-project before or it is disabled.\",\"status\":\"PERMISSION_DENIED\",\"details\":["
        "{\"@type\":\"type.googleapis.com/google.rpc.Help\",\"reason\":\"no\"},"
        "{\"@type\":7,\"reason\":\"no\"},"
        "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"SERVICE_DISABLED\","
        "\"domain\":\"googleapis.com\"}]}}");

    EXPECT(strcmp(trouble.status, "PERMISSION_DENIED") == 0);
    EXPECT(strcmp(trouble.reason, "SERVICE_DISABLED") == 0);
    EXPECT(strstr(trouble.message, "has not been used"));
    EXPECT(trouble.retry_delay_ns == 0);
}

static void error_info_goes_before_the_older_reason(void)
{
    struct cprof_api_trouble trouble =
        trouble_of("{\"error\":{\"errors\":[{\"reason\":\"forbidden\"}],\"details\":[{\"@type\":"
                   "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"NO_ROLE\"}]}}");

    EXPECT(strcmp(trouble.reason, "NO_ROLE") == 0);
}

static void what_is_not_the_api_s_says_nothing(void)
{
    static const char *const bodies[] = {
        "",
        " ",
        "<html><head><title>502 Bad Gateway</title></head></html>",
        "upstream connect error, Authorization: Bearer ya29.secret",
        "null",
        "[]",
        "{}",
        "7",
        "\"error\"",
        "{\"error\":null}",
        "{\"error\":\"invalid_grant\"}",
        "{\"error\":[]}",
        "{\"error\":{\"status\":7,\"message\":{},\"details\":{},\"errors\":{}}}",
        "{\"error\":{\"status\":null,\"message\":[\"x\"],\"details\":[[]],\"errors\":[1,[]]}}",
        "{\"error\":{\"details\":[{\"@type\":\"ErrorInfo\",\"reason\":\"NO\"}]}}",
        "{\"error\":{\"details\":[{\"@type\":\"x/google.rpc.ErrorInfo\",\"reason\":[]}]}}",
        "{\"error\":{\"status\":\"ABORTED\"}",
        "[{\"error\":{\"status\":\"ABORTED\"}}]",
        "{\"error\":{\"status\":\"A\xff\"}}",
        "{\"error\":{\"status\":\"A\\u0000B\"}}",
    };

    for (unsigned i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct cprof_api_trouble trouble = trouble_of(bodies[i]);

        EXPECT(says_nothing(&trouble));
    }
}

static void no_body_says_nothing(void)
{
    struct cprof_api_trouble trouble;

    cprof_api_read_trouble(&trouble, NULL, 0);
    EXPECT(says_nothing(&trouble));
}

static void texts_are_printable_and_cut(void)
{
    char body[2048], sentence[1024];
    struct cprof_api_trouble trouble =
        trouble_of("{\"error\":{\"message\":\"line\\nline\\u001b[2J\"}}");

    EXPECT(!strchr(trouble.message, '\n') && !strchr(trouble.message, '\033'));
    EXPECT(strncmp(trouble.message, "line", 4) == 0);

    /* The wait stands behind the cut. */
    memset(sentence, 'x', sizeof(sentence));
    sentence[sizeof(sentence) - 1] = '\0';
    (void)snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%s backoff for 9s\"}}", sentence);
    trouble = trouble_of(body);
    EXPECT(strlen(trouble.message) == CPROF_API_TEXT_BYTES - 1);
    EXPECT(trouble.retry_delay_ns == 9 * SECOND_NS);
}

/* One body of `bytes` bytes: an error, then blanks. */
static struct cprof_api_trouble padded(size_t bytes)
{
    static const char error[] = "{\"error\":{\"status\":\"ABORTED\"}}";
    struct cprof_api_trouble trouble;
    char *body = malloc(bytes);

    EXPECT(body);
    memset(body, ' ', bytes);
    memcpy(body, error, sizeof(error) - 1);
    cprof_api_read_trouble(&trouble, body, bytes);
    free(body);
    return trouble;
}

static void what_is_too_large_says_nothing(void)
{
    struct cprof_api_trouble trouble = padded(CPROF_API_ANSWER_BYTES_MAX);

    EXPECT(strcmp(trouble.status, "ABORTED") == 0);
    trouble = padded(CPROF_API_ANSWER_BYTES_MAX + 1);
    EXPECT(says_nothing(&trouble));
}

static void what_is_nested_too_deep_says_nothing(void)
{
    struct cprof_api_trouble trouble;
    char *body = malloc(CPROF_API_ANSWER_BYTES_MAX);

    EXPECT(body);
    memset(body, '[', CPROF_API_ANSWER_BYTES_MAX);
    cprof_api_read_trouble(&trouble, body, CPROF_API_ANSWER_BYTES_MAX);
    EXPECT(says_nothing(&trouble));
    free(body);
}

int main(void)
{
    RUN(a_back_off_with_details_is_read);
    RUN(a_back_off_in_the_sentence_alone_is_read);
    RUN(a_delay_that_is_none_gives_way_to_the_sentence);
    RUN(the_first_delay_counts);
    RUN(the_reason_is_that_of_error_info);
    RUN(error_info_goes_before_the_older_reason);
    RUN(what_is_not_the_api_s_says_nothing);
    RUN(no_body_says_nothing);
    RUN(texts_are_printable_and_cut);
    RUN(what_is_too_large_says_nothing);
    RUN(what_is_nested_too_deep_says_nothing);
    return 0;
}
