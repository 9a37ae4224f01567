/* api.h - what is said to the Cloud Profiler API (v2, REST) and what it says: JSON, and no more.
 *
 * Callers   the gateway's thread. Pure: no socket, no clock, no log.
 * Trust     none in answers: sizes are bounded (jansson bounds the nesting), types checked; what is
 *           unknown is kept as it is and sent back. Texts of the deployment are cleaned and cut to
 *           what the API takes.
 * Memory    what is returned is the caller's, to be freed by free(), whatever allocator jansson was
 *           given.
 * Source    google/devtools/cloudprofiler/v2/profiler.proto; docs/cloud-profiler.md.
 * Errors    of the API: api_trouble.h. Durations: duration.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_API_H
#define CPROF_CLOUD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../../shared/base/error.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/layout.h"
#include "api_trouble.h"

#define CPROF_API_DURATION_NS_MAX   (600 * NS_PER_S)
#define CPROF_API_LABEL_BYTES_MAX   512u                  /* of a label's value: the API's limit */
#define CPROF_API_PROFILE_BYTES_MAX (64u * 1024u * 1024u) /* far more than a profile ever has */

/* The deployment: project, target and labels, as the API's limits want them. */
struct cprof_deployment {
    char project_id[CPROF_PROJECT_ID_BYTES];
    char service[CPROF_SERVICE_BYTES];
    char version[CPROF_SERVICE_VERSION_BYTES]; /* empty: none */
    char zone[CPROF_ZONE_BYTES];               /* empty: none */
    char instance[CPROF_INSTANCE_BYTES];       /* empty: none; a label of the profile */
};

/* "/v2/projects/ID/profiles": where a create goes, behind the endpoint. False: it does not fit, or
 * the project's id is none (6 to 63 of a-z 0-9 - : .), so that it must not stand in a path. */
bool cprof_api_create_path(char *path, size_t path_bytes,
                           const struct cprof_deployment *deployment) CPROF_MUST_USE;
/* The create request's body for these kinds (enum cprof_kind, at least one). malloc'd; NULL without
 * memory. */
char *cprof_api_create_body(const struct cprof_deployment *deployment, uint32_t kinds);

/* A session that the API gave: a profile to be taken and sent. */
struct cprof_session {
    char name[CPROF_API_TEXT_BYTES]; /* projects/ID or number/profiles/OPAQUE, safe in a path */
    enum cprof_kind kind;
    uint64_t duration_ns;
    char *json; /* the API's own text, compact, for the echo; NUL-terminated, malloc'd */
};

/* Reads the answer of create, or the ticket of a window. Refused with the error: not JSON, no name
 * or one of another project or with other characters, a kind that was not asked for, a duration
 * that is none or not in (0, 10 min], labels that are none, more than CPROF_TICKET_BYTES_MAX bytes
 * of compact JSON. The caller ends it with cprof_session_reset, if true. */
bool cprof_session_read(struct cprof_session *session, const char *text, size_t text_bytes,
                        const char *project_id, uint32_t kinds,
                        struct cprof_error *error) CPROF_MUST_USE;
void cprof_session_reset(struct cprof_session *session);

/* The update request's body: the session's own JSON with profileBytes (standard base64) and with
 * the label `instance` added to its labels. malloc'd; NULL without memory, or beyond
 * CPROF_API_PROFILE_BYTES_MAX. It goes to /v2/NAME. */
char *cprof_api_update_body(const struct cprof_session *session,
                            const struct cprof_deployment *deployment, const uint8_t *bytes,
                            size_t byte_count);

#endif
