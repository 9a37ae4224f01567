/* cloudprofiler.c - the plugin as uWSGI sees it: each hook in a few lines that call the rooms.
 *
 * Order in the master: on_load, init, postinit_apps. In a worker: post_fork, then init_thread of
 * the Python plugin in each further core, which we wrap; atexit at its end. master_cleanup in
 * the master when all workers are gone. (uWSGI 2.0.21 and 2.0.30, core/uwsgi.c.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include <dlfcn.h>

#include "base/log.h"
#include "host/abi.h"
#include "host/gateway_process.h"
#include "host/options.h"
#include "host/processes.h"
#include "python/runtime.h"
#include "sample/engine_perf.h"
#include "sample/engine_timer.h"
#include "sample/sampler.h"

extern struct uwsgi_plugin cloudprofiler_plugin;

/* How far this server got; everything below `READY` leaves workers alone. */
static enum {
    REFUSED,    /* another uWSGI or CPython, or no Python at all: said once */
    LOADED,     /* our uWSGI */
    HAS_PYTHON, /* and our CPython */
    READY,      /* the segment and the gateway stand */
} progress;

static struct cprof_python interpreter;
static const struct cprof_options *options;
static int segment_fd = -1;

static void print(const char *line)
{
    uwsgi_log("%s", line);
}

static void on_load(void)
{
    struct cprof_error error;
    Dl_info own;

    cprof_log_setup(print, CPROF_LOG_ERROR);
    if (!cprof_abi_matches(&error)) {
        cprof_log(CPROF_LOG_ERROR, "%s", error.text);
        return;
    }
    progress = LOADED;
    if (dladdr(&cloudprofiler_plugin, &own)) {
        cprof_options_note_plugin_path(own.dli_fname);
    }
}

static void add_core_thread(int core)
{
    char name[64];

    if (progress == READY) {
        cprof_processes_core_name(core, name, sizeof(name));
        cprof_sampler_add_core_thread(core, name);
    }
}

/* All plugins are loaded now, whatever their order in the configuration is. */
static int init(void)
{
    struct cprof_error error;

    cprof_log_setup(print, cprof_options_verbose());
    if (progress != LOADED) {
        return 0;
    }
    progress = REFUSED;
    cprof_gateway_adopt_previous();
    switch (cprof_python_find(&interpreter, &error)) {
    case CPROF_PYTHON_REFUSED:
        cprof_log(CPROF_LOG_ERROR, "%s: not profiling", error.text);
        break;
    case CPROF_PYTHON_ABSENT:
        cprof_notice("no Python plugin is loaded in this server: not profiling");
        break;
    case CPROF_PYTHON_READY:
        if (cprof_processes_hook_core_threads(add_core_thread)) {
            progress = HAS_PYTHON;
        } else {
            cprof_notice("no Python plugin is loaded in this server: not profiling");
        }
        break;
    }
    return 0;
}

/* Says in one line why there is nothing to do, if that is so. */
static bool is_inert(void)
{
    struct cprof_error error;

    if (options->unusable) {
        return true; /* it was said */
    }
    if (options->disabled) {
        cprof_notice("disabled: not profiling");
    } else if (options->config.disable_cpu) {
        cprof_notice("cloudprofiler-disable-cpu-profiling is set and there is no other kind of "
                     "profile: not profiling");
    } else if (options->config.output_dir[0] == '\0') {
        cprof_notice("no cloudprofiler-output-dir is given: not profiling");
    } else if (cprof_processes_slot_count() == 0) {
        cprof_notice("this instance has no workers: not profiling");
    } else if (!cprof_engine_timer_spares_system_calls(&error)) {
        cprof_notice("%s: not profiling", error.text);
    } else {
        return false;
    }
    return true;
}

static void complete_config(struct cprof_config *config)
{
    config->magic = CPROF_CONFIG_MAGIC;
    config->version = CPROF_CONFIG_VERSION;
    config->config_bytes = sizeof(*config);
    config->slot_count = cprof_processes_slot_count();
    (void)snprintf(config->uwsgi_version, sizeof(config->uwsgi_version), "%s",
                   cprof_processes_uwsgi_version());
    (void)snprintf(config->python_version, sizeof(config->python_version), "%s",
                   interpreter.version);
}

/* Says what the figures are worth: once, before workers find out for themselves. */
static void announce(const struct cprof_config *config)
{
    int refused = cprof_engine_perf_probe();

    cprof_notice("version " CPROF_VERSION ": CPU profiles of %u workers, a sample each %u ms; %u s "
                 "of each %u s go to %s",
                 config->slot_count, config->period_ms, config->output_duration_s,
                 config->output_interval_s, config->output_dir);
    if (refused) {
        cprof_notice("perf_event_open is refused (%s): CPU time is sampled on the kernel's tick "
                     "alone, which misjudges requests of a few milliseconds; docs/engines.md "
                     "tells how to allow it",
                     strerror(refused));
    }
}

static bool start_gateway(void)
{
    static struct cprof_options completed;
    struct cprof_error error;

    if (is_inert()) {
        return false;
    }
    completed = *options;
    complete_config(&completed.config);
    if (!cprof_gateway_register(&completed, &segment_fd, &error)) {
        cprof_log(CPROF_LOG_ERROR, "%s: not profiling", error.text);
        return false;
    }
    announce(&completed.config);
    return true;
}

/* Number of workers and uid are final; nothing has been forked. */
static void postinit_apps(void)
{
    if (progress == HAS_PYTHON) {
        options = cprof_options_finish();
        if (start_gateway()) {
            progress = READY;
            return;
        }
    }
    cprof_gateway_drop_previous();
}

static void post_fork(void)
{
    struct cprof_sampler_start start = {
        .segment_fd = segment_fd,
        .python = &interpreter,
    };
    struct cprof_error error;

    if (progress != READY || !cprof_processes_own_slot(&start.slot_index)) {
        return;
    }
    start.max_depth = options->config.max_depth;
    start.core_count = cprof_processes_core_count();
    if (!cprof_sampler_start(&start, &error)) {
        cprof_log(CPROF_LOG_ERROR, "%s: this worker is not profiled", error.text);
        return;
    }
    add_core_thread(0);
}

static void at_exit(void)
{
    if (progress == READY) {
        cprof_sampler_stop();
    }
}

static void master_cleanup(void)
{
    if (progress == READY) {
        cprof_gateway_hand_over();
    }
}

__attribute__((visibility("default"))) struct uwsgi_plugin cloudprofiler_plugin = {
    .name = "cloudprofiler",
    .on_load = on_load,
    .init = init,
    .options = cprof_option_table,
    .postinit_apps = postinit_apps,
    .post_fork = post_fork,
    .atexit = at_exit,
    .master_cleanup = master_cleanup,
};
