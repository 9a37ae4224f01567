/* deployment.c - see deployment.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deployment.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROJECT_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-:."

/* The API's rule, ^[a-z][-a-z0-9:.]{4,61}[a-z0-9]$ (profiler.proto), without a pattern.
 * Domain-scoped ids ("example.com:shop") fit it, too. */
static bool is_project_id(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    char last;

    if (length < 6 || length >= CPROF_PROJECT_ID_BYTES ||
        strspn(text, PROJECT_CHARACTERS) != length) {
        return false;
    }
    last = text[length - 1];
    return text[0] >= 'a' && text[0] <= 'z' &&
           ((last >= 'a' && last <= 'z') || (last >= '0' && last <= '9'));
}

static bool find_project(char *project_id, const struct cprof_config *config,
                         const char *credentials_project, const struct cprof_place *place)
{
    const char *const candidates[] = {config->project_id, getenv("GOOGLE_CLOUD_PROJECT"),
                                      getenv("GCLOUD_PROJECT"), credentials_project,
                                      place->project_id};

    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (is_project_id(candidates[i])) {
            (void)snprintf(project_id, CPROF_PROJECT_ID_BYTES, "%s", candidates[i]);
            return true;
        }
    }
    return false;
}

static const char *first_given(const char *first, const char *second)
{
    return first[0] != '\0' ? first : second;
}

bool cprof_deployment_find(struct cprof_deployment *deployment, const struct cprof_config *config,
                           const char *credentials_project, const struct cprof_place *place)
{
    *deployment = (struct cprof_deployment){0};
    (void)snprintf(deployment->service, sizeof(deployment->service), "%s", config->service);
    (void)snprintf(deployment->version, sizeof(deployment->version), "%s", config->service_version);
    (void)snprintf(deployment->zone, sizeof(deployment->zone), "%s",
                   first_given(config->zone, place->zone));
    (void)snprintf(
        deployment->instance, sizeof(deployment->instance), "%s",
        first_given(config->instance_label, first_given(place->instance, config->instance)));
    return find_project(deployment->project_id, config, credentials_project, place);
}
