/* command_profiles.h - profiles that operators' commands ask for: they go to the sinks.
 *
 * Callers   the gateway's thread, on the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_COMMAND_PROFILES_H
#define CPROF_COMMAND_PROFILES_H

#include <stdbool.h>

#include "../../shared/base/error.h"
#include "../../shared/segment/commands.h"
#include "../askers/demand.h"
#include "../sinks/sink.h"

struct cprof_command_profiles {
    struct cprof_demand *demand;
    const struct cprof_sinks *sinks;
};

/* Takes a profile; all that `profiles` names must live until the demand ends. The shape that
 * command_runner.h asks for; `context` is the struct. */
bool cprof_command_profiles_take(void *context, uint32_t kinds, uint32_t seconds,
                                 enum cprof_origin origin, struct cprof_error *error);

#endif
