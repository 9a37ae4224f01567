/* start_call.h - what an app says when it calls googlecloudprofiler.start(): plain data that the
 * module fills and the host reads.
 *
 * Values    stand as an option's value would be written: "10", "true". They come from the app, are
 *           of any length and content, and live as long as the call.
 * Callers   a thread of the app's, with the GIL.
 * Source    the parameters of google-cloud-profiler 4.1.0, in its order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_START_CALL_H
#define CPROF_START_CALL_H

enum cprof_start_parameter {
    CPROF_START_SERVICE,
    CPROF_START_SERVICE_VERSION,
    CPROF_START_PROJECT_ID,
    CPROF_START_CREDENTIALS, /* service_account_json_file */
    CPROF_START_VERBOSE,
    CPROF_START_DISABLE_CPU,
    CPROF_START_DISABLE_WALL,
    CPROF_START_PERIOD_MS,
    CPROF_START_DISCOVERY_URL,
    CPROF_START_PARAMETERS, /* their number */
};

#define CPROF_START_PLACE_BYTES 256

struct cprof_start_call {
    const char *values[CPROF_START_PARAMETERS]; /* NULL: the call leaves it open */
    char place[CPROF_START_PLACE_BYTES];        /* "FILE:LINE" of the caller */
};

#endif
