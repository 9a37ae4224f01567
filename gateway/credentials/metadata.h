/* metadata.h - what the metadata server of Google Cloud says: project, zone, instance, tokens.
 *
 * Callers   the gateway's thread, on the loop.
 * Server    GCE_METADATA_HOST or GCE_METADATA_IP of the environment, else 169.254.169.254 (a name
 *           would be asked of a DNS server that outside Google Cloud knows nothing of it). Plain
 *           HTTP, never by a proxy, short deadlines.
 * Outside   of Google Cloud one look finds out that nobody answers, or not with the header
 *           Metadata-Flavor: Google; that is no error, and is believed for a minute: the servers of
 *           new machines and pods may come later than the gateway. NO_GCE_CHECK=true and
 *           cloudprofiler-disable-metadata spare that look.
 * Trust     little: other clouds have their own servers at this address. Answers are bounded and of
 *           the characters of names; others count as not said.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_METADATA_H
#define CPROF_METADATA_H

#include <stdbool.h>

#include "../../shared/base/config.h"
#include "../http/client.h"
#include "../loop/loop.h"

/* How many may ask at the same time: credentials.c and the uploader, and room to spare. */
#define CPROF_METADATA_QUESTIONS_MAX 4u

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
/* Cancels what is under way, without a callback. NULL does nothing. */
void cprof_metadata_destroy(struct cprof_metadata *metadata);

typedef void cprof_metadata_found(void *context, const struct cprof_place *place);

/* Asks once; later calls get what was found: on Google Cloud for ever, but for a minute where the
 * server answered otherwise than with a text or 404. Transient failures (attempts.h) of a server
 * that is known to be there are asked again with growing gaps, five times in all. `found` is called
 * once, at a later turn of the loop. Questions at the same time get the same answer; each context
 * has at most one, and a question beyond CPROF_METADATA_QUESTIONS_MAX gets no answer. */
void cprof_metadata_find(struct cprof_metadata *metadata, cprof_metadata_found *found,
                         void *context);

/* Takes the question of `context` back, if there is one. */
void cprof_metadata_forget(struct cprof_metadata *metadata, const void *context);

/* The request for a token of the machine's service account, for the scope of profiling; its answer
 * is the server's own. Borrowed from `metadata`. */
const struct cprof_http_request *
cprof_metadata_token_request(const struct cprof_metadata *metadata);

#endif
