/* option_checks.h - what is checked once all options are known: that they fit together, that the
 * present uid can use the paths, what the environment adds.
 *
 * Callers   the master (or the only process), before any fork.
 * Paths     are tried as they will be used, and kept as they were given. What says nothing about
 *           the path itself (a filter that refuses the question, a full disk, no descriptors)
 *           refuses no start: who uses the path reports it.
 * Refusal   option_values.h; on a reload a path that is gone makes the options `unusable` instead,
 *           and the server serves on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OPTION_CHECKS_H
#define CPROF_OPTION_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../shared/base/config.h"
#include "option_values.h"
#include "options.h"

#define CPROF_HTTP_ACCEPTED                                                                        \
    "the absolute path of a unix socket (at most 107 bytes), 127.0.0.1:PORT or [::1]:PORT"

#define CPROF_KINDS_ACCEPTED                                                                       \
    "this option or cloudprofiler-disable-cpu-profiling, not both; cloudprofiler-disable takes "   \
    "no profiles at all"

/* What was given, beyond what stands in the configuration. */
struct cprof_given_options {
    bool disable;
    bool disable_upload;
    bool credentials_are_checked;            /* and who uses them reports what has changed since */
    uint32_t highest_worker;                 /* of those that alone are profiled, 0: all are */
    const char *plugin_directory;            /* absolute, as it was named; "" if it is not known */
    const char *plugin_file_directory;       /* the same with all links followed */
    const struct cprof_text_option *service; /* what a service's name must be */
};

/* Puts the working directory before a relative path, since the gateway's own may be another. Links
 * in a path stay as they are: they may lead elsewhere by the time that the path is used. False: it
 * is too long then, or nobody knows the working directory; the path is left alone. */
bool cprof_option_make_absolute(char *path, size_t path_bytes);

/* Whether the gateway will be able to read the file, as far as this uid can tell. It is not
 * read. */
bool cprof_option_is_readable_file(const char *path);

/* What the environment gives where no option does. NULL: nothing, or no name that is accepted. */
const char *cprof_option_environment_service(const struct cprof_text_option *service);
const char *cprof_option_environment_version(void);

/* Whether CLOUDPROFILER_DISABLE of the environment says so. */
bool cprof_option_environment_disables(void);

/* Ends the start if something cannot be; completes the options' configuration but for its slots. */
void cprof_option_checks_make(struct cprof_options *options,
                              const struct cprof_given_options *given);

#endif
