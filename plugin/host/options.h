/* options.h - the option table, its validation, and the configuration that comes out of it.
 *
 * Reading   uWSGI calls the table's functions while it parses its configuration, in any order;
 *           a value that cannot be right ends the start at once (option_values.h).
 * Finishing what depends on more than one option, on the environment or on the final uid is
 *           checked by cprof_options_finish, still before the first fork.
 * Callers   the master (or the only process), before any fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPROF_OPTIONS_H
#define CPROF_OPTIONS_H

#include <stdbool.h>

#include "../../shared/base/config.h"
#include "slow_exceptions.h"

struct uwsgi_option;

/* For struct uwsgi_plugin. */
extern struct uwsgi_option cprof_option_table[];

/* What came out of all options. */
struct cprof_options {
    struct cprof_config config; /* for the gateway, too; slots are filled in by the caller */
    struct cprof_slow_exceptions slow_exceptions;
    char gateway_binary[CPROF_PATH_BYTES];
    bool unusable; /* a path went away before a reload: said in the log */
    bool disabled; /* by option or by CLOUDPROFILER_DISABLE */
};

/* Remembers the directory that the plugin was loaded from, where the gateway program is looked
 * for. At load time: a relative path means the working directory of that moment. */
void cprof_options_note_plugin_path(const char *plugin_path);

/* The level of the log as given so far. */
unsigned cprof_options_verbose(void);

/* Whether profiles are switched off, by option or by environment. */
bool cprof_options_are_disabled(void);

/* Whether nothing is sent to Cloud Profiler, whatever service is named. */
bool cprof_options_uploads_are_disabled(void);

/* Whether the plugin answers apps that import googlecloudprofiler. */
bool cprof_options_google_start(void);

/* The option of this name, of those whose functions option_values.h has; it must be there. */
const struct uwsgi_option *cprof_options_find(const char *name);

/* Whether the configuration gives the option, be it with its default value. */
bool cprof_options_is_given(const char *name);

/* The tags that were asked for so far (enum cprof_tag_bit); none: the default ones. */
uint32_t cprof_options_tags(void);

/* Ends the start with a message and status 1 if the options do not fit together or a path
 * cannot be used by the present uid (on a reload such a path makes the result `unusable`, and the
 * server serves on). The result is constant from then on. */
const struct cprof_options *cprof_options_finish(void);

/* Is this worker to be profiled (cloudprofiler-workers)? Numbered from 1. After
 * cprof_options_finish. */
bool cprof_options_want_worker(uint32_t number);

#endif
