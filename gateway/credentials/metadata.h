/* metadata.h - what the metadata server of Google Cloud says: project, zone, instance, tokens.
 *
 * Callers   credentials.c and gateway/cloud. One thread, on the loop.
 * Server    GCE_METADATA_HOST or GCE_METADATA_IP of the environment, else 169.254.169.254 (a name
 *           would be asked of a DNS server that outside Google Cloud knows nothing of it). Plain
 *           HTTP, never by a proxy, short deadlines.
 * Outside   of Google Cloud one look finds out that nobody answers, or not with the header
 *           Metadata-Flavor: Google; that is remembered and no error. NO_GCE_CHECK=true and
 *           cloudprofiler-disable-metadata spare that look.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_METADATA_H
#define CPROF_METADATA_H

#include <stdbool.h>

#include "../../plugin/base/attributes.h"
#include "../../plugin/base/config.h"
#include "../http/client.h"

/* What is known of the machine; empty texts: the server does not know (404). */
struct cprof_place {
    bool on_google_cloud;
    char project_id[CPROF_PROJECT_ID_BYTES];
    char zone[CPROF_ZONE_BYTES]; /* "us-central1-a": what stands behind the last '/' */
    char instance[CPROF_INSTANCE_BYTES];
};

struct cprof_metadata;

/* NULL without memory. Client and loop are borrowed. disabled: every question is answered with an
 * empty place at the next turn of the loop. */
struct cprof_metadata *cprof_metadata_create(struct cprof_http_client *client,
                                             struct cprof_loop *loop, bool disabled);
void cprof_metadata_destroy(struct cprof_metadata *metadata);

typedef void cprof_metadata_found(void *context, const struct cprof_place *place);

/* Asks once; later calls get what was found. Transient failures (5xx, 408, 429, a broken
 * connection once the server is known to be there) are asked again with growing gaps, five times.
 * One question at a time. */
void cprof_metadata_find(struct cprof_metadata *metadata, cprof_metadata_found *found,
                         void *context);

/* Starts GET .../instance/service-accounts/default/token for the scope of credentials.h; the answer
 * is the server's own. NULL with the error: not on Google Cloud, or no memory. */
struct cprof_http_call *cprof_metadata_start_token(struct cprof_metadata *metadata,
                                                   cprof_http_finished *finished, void *context,
                                                   struct cprof_error *error) CPROF_MUST_USE;

#endif
