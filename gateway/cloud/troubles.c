/* troubles.c - see troubles.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "troubles.h"

#include <stdio.h>
#include <string.h>

#define HTTP_BAD_REQUEST     400
#define HTTP_UNAUTHORIZED    401
#define HTTP_FORBIDDEN       403
#define HTTP_NOT_FOUND       404
#define HTTP_REQUEST_TIMEOUT 408
#define HTTP_CONFLICT        409
#define HTTP_TOO_MANY        429
#define HTTP_SERVER_ERRORS   500

static enum cprof_trouble trouble_of_outcome(enum cprof_http_outcome outcome)
{
    switch (outcome) {
    case CPROF_HTTP_UNRESOLVED:
        return CPROF_TROUBLE_UNRESOLVED;
    case CPROF_HTTP_UNREACHABLE:
        return CPROF_TROUBLE_UNREACHABLE;
    case CPROF_HTTP_UNTRUSTED:
        return CPROF_TROUBLE_UNTRUSTED;
    case CPROF_HTTP_NO_CA:
        return CPROF_TROUBLE_NO_CA;
    case CPROF_HTTP_TOO_LATE:
        return CPROF_TROUBLE_TOO_LATE;
    case CPROF_HTTP_TOO_LARGE:
        return CPROF_TROUBLE_TOO_LARGE;
    case CPROF_HTTP_ANSWERED:
    case CPROF_HTTP_BROKEN:
    case CPROF_HTTP_FAILED:
        break;
    }
    return CPROF_TROUBLE_BROKEN;
}

/* A 403 has three meanings. ErrorInfo's reason tells them apart where the server gives one; else
 * its sentence does ("Cloud Profiler API has not been used in project ... before or it is
 * disabled"). */
static enum cprof_trouble trouble_of_403(const struct cprof_api_trouble *said)
{
    if (strcmp(said->reason, "SERVICE_DISABLED") == 0 || strstr(said->message, "is disabled")) {
        return CPROF_TROUBLE_API_DISABLED;
    }
    if (strstr(said->reason, "RATE_LIMIT") || strstr(said->reason, "ateLimitExceeded")) {
        return CPROF_TROUBLE_QUOTA;
    }
    return CPROF_TROUBLE_FORBIDDEN;
}

static enum cprof_trouble trouble_of_status(long status, const struct cprof_api_trouble *said)
{
    switch (status) {
    case HTTP_BAD_REQUEST:
        return CPROF_TROUBLE_INVALID;
    case HTTP_UNAUTHORIZED:
        return CPROF_TROUBLE_UNAUTHENTICATED;
    case HTTP_FORBIDDEN:
        return trouble_of_403(said);
    case HTTP_NOT_FOUND:
        return CPROF_TROUBLE_NOT_FOUND;
    case HTTP_REQUEST_TIMEOUT:
        return CPROF_TROUBLE_SERVER;
    case HTTP_CONFLICT:
        return CPROF_TROUBLE_THROTTLED;
    case HTTP_TOO_MANY:
        return CPROF_TROUBLE_QUOTA;
    default:
        break;
    }
    if (status >= 300 && status < 400) {
        return CPROF_TROUBLE_REDIRECTED;
    }
    return status >= HTTP_SERVER_ERRORS ? CPROF_TROUBLE_SERVER : CPROF_TROUBLE_INVALID;
}

enum cprof_trouble cprof_trouble_of(const struct cprof_http_answer *answer,
                                    const struct cprof_api_trouble *said)
{
    if (answer->outcome != CPROF_HTTP_ANSWERED) {
        return trouble_of_outcome(answer->outcome);
    }
    if (answer->status >= 200 && answer->status < 300) {
        return CPROF_TROUBLE_NONE;
    }
    return trouble_of_status(answer->status, said);
}

bool cprof_trouble_passes(enum cprof_trouble trouble)
{
    switch (trouble) {
    case CPROF_TROUBLE_UNRESOLVED:
    case CPROF_TROUBLE_UNREACHABLE:
    case CPROF_TROUBLE_BROKEN:
    case CPROF_TROUBLE_TOO_LATE:
    case CPROF_TROUBLE_QUOTA:
    case CPROF_TROUBLE_SERVER:
    case CPROF_TROUBLE_CREDENTIALS:
        return true;
    default:
        return false;
    }
}

static const char *const sentences[CPROF_TROUBLE_COUNT] = {
    [CPROF_TROUBLE_NONE] = "all is well",
    [CPROF_TROUBLE_THROTTLED] = "enough instances of this service are being profiled",
    [CPROF_TROUBLE_NO_PROJECT] =
        "no project is known; outside Google Cloud give cloudprofiler-project-id or "
        "GOOGLE_CLOUD_PROJECT, or credentials that name one",
    [CPROF_TROUBLE_CREDENTIALS] = "no access token",
    [CPROF_TROUBLE_UNRESOLVED] =
        "the API's name does not resolve; without a network of its own this machine may need "
        "HTTPS_PROXY",
    [CPROF_TROUBLE_UNREACHABLE] =
        "the API cannot be reached; look at firewall, proxy and cloudprofiler-api-endpoint",
    [CPROF_TROUBLE_UNTRUSTED] =
        "the server's certificate is not trusted; a proxy that opens TLS needs its CA in "
        "cloudprofiler-ca-file, and a wrong clock makes good certificates look bad",
    [CPROF_TROUBLE_NO_CA] =
        "there are no CA certificates to check the server with; install the package "
        "ca-certificates or give cloudprofiler-ca-file",
    [CPROF_TROUBLE_BROKEN] = "the connection broke",
    [CPROF_TROUBLE_TOO_LATE] = "no answer came in time",
    [CPROF_TROUBLE_TOO_LARGE] = "the answer is larger than any that the API gives",
    [CPROF_TROUBLE_API_DISABLED] = "the Cloud Profiler API is not enabled: gcloud services enable "
                                   "cloudprofiler.googleapis.com",
    [CPROF_TROUBLE_FORBIDDEN] =
        "the account may not write profiles; grant it roles/cloudprofiler.agent",
    [CPROF_TROUBLE_UNAUTHENTICATED] = "the API does not accept the access token",
    [CPROF_TROUBLE_NOT_FOUND] =
        "the API does not know this place; look at cloudprofiler-project-id and "
        "cloudprofiler-api-endpoint",
    [CPROF_TROUBLE_INVALID] =
        "the API does not accept the request; look at cloudprofiler-project-id and "
        "cloudprofiler-service",
    [CPROF_TROUBLE_QUOTA] = "the project's quota of the API is used up",
    [CPROF_TROUBLE_REDIRECTED] =
        "the server sends the request elsewhere, which is not followed; look at "
        "cloudprofiler-api-endpoint",
    [CPROF_TROUBLE_SERVER] = "the API has trouble of its own",
    [CPROF_TROUBLE_NONSENSE] = "the API's answer makes no sense",
};

static bool is_about_the_project(enum cprof_trouble trouble)
{
    return trouble == CPROF_TROUBLE_API_DISABLED || trouble == CPROF_TROUBLE_FORBIDDEN ||
           trouble == CPROF_TROUBLE_QUOTA || trouble == CPROF_TROUBLE_NOT_FOUND;
}

void cprof_trouble_explain(char *text, size_t text_bytes, enum cprof_trouble trouble,
                           const struct cprof_deployment *deployment, const char *detail)
{
    const char *sentence =
        (unsigned)trouble < CPROF_TROUBLE_COUNT ? sentences[trouble] : sentences[0];
    bool names_project = is_about_the_project(trouble) && deployment->project_id[0] != '\0';

    (void)snprintf(text, text_bytes, "%s%s%s%s%s%s", sentence, names_project ? " (project " : "",
                   names_project ? deployment->project_id : "", names_project ? ")" : "",
                   detail[0] != '\0' ? ": " : "", detail);
}
