/* api.h - what is said to the Cloud Profiler API (v2, REST) and what it says: JSON, and no more.
 *
 * Callers   uploader.c. Pure: no socket, no clock, no log.
 * Trust     none in answers: sizes are bounded, types checked, what is unknown is kept as it is and
 *           sent back.
 * Source    google/devtools/cloudprofiler/v2/profiler.proto; docs/cloud-profiler.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_API_H
#define CPROF_CLOUD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../plugin/base/attributes.h"
#include "../../plugin/base/config.h"
#include "../../plugin/base/error.h"
#include "../../plugin/share/layout.h"

#define CPROF_API_ANSWER_BYTES_MAX (256u * 1024u)
#define CPROF_API_TEXT_BYTES       256u
#define CPROF_API_DURATION_NS_MAX  (UINT64_C(600) * 1000000000)

/* The deployment: project, target and labels, as the API's limits want them. */
struct cprof_deployment {
    char project_id[CPROF_PROJECT_ID_BYTES];
    char service[CPROF_SERVICE_BYTES];
    char version[CPROF_SERVICE_VERSION_BYTES]; /* empty: none */
    char zone[CPROF_ZONE_BYTES];               /* empty: none */
    char instance[CPROF_INSTANCE_BYTES];       /* empty: none; a label of the profile */
};

/* "/v2/projects/ID/profiles": where a create goes, behind the endpoint. */
bool cprof_api_create_path(char *path, size_t path_bytes,
                           const struct cprof_deployment *deployment) CPROF_MUST_USE;
/* The create request's body for these kinds (enum cprof_kind, at least one). malloc'd; NULL without
 * memory. */
char *cprof_api_create_body(const struct cprof_deployment *deployment, uint32_t kinds);

/* A session that the API gave: a profile to be taken and sent. */
struct cprof_session {
    char name[CPROF_API_TEXT_BYTES]; /* projects/ID/profiles/OPAQUE, checked: safe in a path */
    enum cprof_kind kind;
    uint64_t duration_ns;
    char *json; /* the API's own text, compact, for the echo; NUL-terminated, malloc'd */
};

/* Reads the answer of create, or the ticket of a window. Refused with the error: not JSON, no name
 * or one of another project or with other characters, a kind that was not asked for, a duration
 * that is none or not in (0, 10 min]. The caller ends it with cprof_session_reset, if true. */
bool cprof_session_read(struct cprof_session *session, const char *text, size_t text_bytes,
                        const char *project_id, uint32_t kinds,
                        struct cprof_error *error) CPROF_MUST_USE;
void cprof_session_reset(struct cprof_session *session);

/* "10s", "1.500s" (proto3 JSON Duration) in ns. False: it is none, negative, or does not fit. */
bool cprof_api_duration(const char *text, uint64_t *duration_ns) CPROF_MUST_USE;

/* The update request's body: the session's own JSON with profileBytes and with the label `instance`
 * added to its labels. malloc'd; NULL without memory. */
char *cprof_api_update_body(const struct cprof_session *session,
                            const struct cprof_deployment *deployment, const uint8_t *bytes,
                            size_t byte_count);

/* An answer that is an error. Texts are printable, cut at their size; empty: not said. */
struct cprof_api_trouble {
    char status[CPROF_API_TEXT_BYTES];  /* "PERMISSION_DENIED" */
    char message[CPROF_API_TEXT_BYTES]; /* the server's sentence */
    char reason[CPROF_API_TEXT_BYTES];  /* of google.rpc.ErrorInfo: "SERVICE_DISABLED" */
    uint64_t retry_delay_ns; /* of RetryInfo, or of the message's "backoff for 33m0s"; 0: none */
};

/* Reads the body of an answer of status 400 and above, whatever it is. Never fails. */
void cprof_api_read_trouble(struct cprof_api_trouble *trouble, const char *text, size_t text_bytes);

#endif
