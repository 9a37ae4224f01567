/* other_agent.c - see other_agent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "other_agent.h"

#include <link.h>
#include <string.h>

#include "../../shared/base/log.h"
#include "once.h"

#define NATIVE_PART "googlecloudprofiler/_profiler."

static int report_if_agent(struct dl_phdr_info *object, size_t bytes, void *unused)
{
    (void)bytes, (void)unused;
    if (!object->dlpi_name || !strstr(object->dlpi_name, NATIVE_PART)) {
        return 0;
    }
    if (cprof_once_claim(CPROF_ONCE_OTHER_AGENT)) {
        cprof_log(CPROF_LOG_WARNING,
                  "Google's own agent is loaded, too (%.300s): two profilers run where the app "
                  "starts it. Import it by its name alone, which the plugin answers, or not at all",
                  object->dlpi_name);
    }
    return 1;
}

void cprof_other_agent_report(void)
{
    (void)dl_iterate_phdr(report_if_agent, NULL);
}
