/* deployment.h - who this instance is to the API: project, service, version, zone, instance.
 *
 * Callers   the gateway's thread.
 * Order     options first, then the environment (GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT), then the
 *           project of the credentials, then the metadata server, as the official agents have it.
 *           Service and version stand in the configuration already, from options or environment.
 *           The instance is the machine's host name where neither option nor server says it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_CLOUD_DEPLOYMENT_H
#define CPROF_CLOUD_DEPLOYMENT_H

#include <stdbool.h>

#include "../../shared/base/attributes.h"
#include "../../shared/base/config.h"
#include "../credentials/metadata.h"
#include "api.h"

/* Fills *deployment; credentials_project may be empty. False: no project is known anywhere. What
 * the environment or a server says and the API would not accept is left out. */
bool cprof_deployment_find(struct cprof_deployment *deployment, const struct cprof_config *config,
                           const char *credentials_project,
                           const struct cprof_place *place) CPROF_MUST_USE;

#endif
