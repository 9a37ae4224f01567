/* other_agent.h - whether Google's own agent is loaded in this process.
 *
 * How       by the native part of the package, googlecloudprofiler/_profiler.*.so, which its start
 *           needs: whatever name and way it was imported by, in any interpreter, without asking
 *           Python.
 * Callers   the main thread of a process when its apps are loaded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OTHER_AGENT_H
#define CPROF_OTHER_AGENT_H

/* Reports it in one line, once for the instance. */
void cprof_other_agent_report(void);

#endif
