/* cloudprofiler.c - the plugin as uWSGI sees it: each hook in a few lines that call the rooms.
 *
 * Order in the master: on_load, init, init_apps, postinit_apps. In a worker, mule or spooler:
 * post_fork of the Python plugin, then its init_thread in each further core, both of which we wrap;
 * hijack_worker before a worker's loop begins, where nothing is taken over; atexit at its end; with
 * lazy-apps init_apps is called in workers instead. master_cleanup in the master when all workers
 * are gone. (uWSGI 2.0.21 and 2.0.31, core/uwsgi.c, core/mule.c, core/spooler.c.) With
 * cloudprofiler-check: on_load, check, the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include <dlfcn.h>

#include "../shared/base/log.h"
#include "../shared/segment/window.h"
#include "api/google_module.h"
#include "api/module.h"
#include "check.h"
#include "host/abi.h"
#include "host/app_signals.h"
#include "host/check_only.h"
#include "host/commands.h"
#include "host/deadlines.h"
#include "host/gateway_environment.h"
#include "host/gateway_process.h"
#include "host/loops.h"
#include "host/metrics.h"
#include "host/once.h"
#include "host/options.h"
#include "host/other_agent.h"
#include "host/processes.h"
#include "host/request.h"
#include "host/route.h"
#include "host/route_tag.h"
#include "host/start_answer.h"
#include "python/runtime.h"
#include "sample/sampler.h"
#include "threads/engine_perf.h"
#include "threads/engine_timer.h"

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
static struct cprof_check_company company = {.python_trouble = "no Python plugin is loaded",
                                             .python_version = ""};

static void print(const char *line)
{
    uwsgi_log("%s", line);
}

static bool check(void);

static void on_load(void)
{
    static const struct cprof_route_tag_hooks route_tags = {
        .key = cprof_sampler_tag_key,
        .set = cprof_sampler_tag_request,
    };
    struct cprof_error error;
    Dl_info own;

    cprof_log_setup(print, CPROF_LOG_ERROR);
    cprof_host_commands_register();
    if (!cprof_abi_matches(&error)) {
        cprof_log(CPROF_LOG_ERROR, "%s", error.text);
        return;
    }
    progress = LOADED;
    cprof_check_only_offer(check);
    cprof_route_register();
    cprof_route_tag_register(&route_tags);
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

/* In each new worker, mule and spooler. */
static void start_sampling(void)
{
    struct cprof_sampler_start start = {
        .segment_fd = segment_fd,
        .python = &interpreter,
        .requests =
            {
                .is_running = cprof_request_is_running,
                .thread_state = cprof_request_thread_state,
                .stamp = cprof_request_stamp,
                .text = cprof_request_text,
                .start_us = cprof_request_start_us,
                .uri = cprof_request_uri,
                .serving_max = cprof_request_serving_max,
                .is_excepted = cprof_request_is_excepted,
                .cores_share_thread = cprof_request_cores_share_thread(),
            },
    };
    struct cprof_error error;

    if (progress != READY) {
        return;
    }
    if (cprof_processes_has_detached() && !cprof_gateway_register(&error)) {
        cprof_log(CPROF_LOG_ERROR, "%s: no profiles", error.text);
    }
    if (!cprof_processes_own_slot(&start.slot_index) ||
        (start.slot_index < cprof_processes_slot_counts().workers &&
         !cprof_options_want_worker(start.slot_index + 1))) {
        return;
    }
    cprof_request_note_main_state((uintptr_t)interpreter.gilstate_thread_state());
    start.max_depth = options->config.max_depth;
    start.native_leaf = options->config.native_leaf;
    cprof_request_note_path_segments(options->config.path_segments);
    start.core_count = cprof_processes_core_count();
    start.ceiling_hundredths = options->config.max_overhead_hundredths;
    start.request_count = cprof_processes_request_count();
    if (!cprof_sampler_start(&start, &error)) {
        cprof_log(CPROF_LOG_ERROR, "%s: this process is not profiled", error.text);
        return;
    }
    add_core_thread(0);
}

/* A worker that is about to run its loop. */
static void follow_turns(void)
{
    static const struct cprof_request_hooks hooks = {
        .begin = cprof_sampler_begin_request,
        .end = cprof_sampler_end_request,
    };
    enum cprof_turns turns = progress == READY ? cprof_loops_turns() : CPROF_TURNS_NONE;

    if (turns == CPROF_TURNS_YIELDS ||
        (turns == CPROF_TURNS_GREENLETS && cprof_sampler_watch_greenlets())) {
        cprof_loops_hook_requests(&hooks);
    }
}

/* Apps that ask for Google's own agent are answered, whether anything is profiled or not: on newer
 * CPythons there is no package of that name to fall back to. */
static void offer_google_module(void)
{
    struct cprof_error error;

    cprof_once_share();
    if (!cprof_google_module_install(&interpreter, cprof_start_answer, &error)) {
        cprof_log(CPROF_LOG_WARNING, "%s: the module googlecloudprofiler is not the plugin's",
                  error.text);
    }
}

/* Without it the app does what it does where there is no profiler. */
static void offer_module(void)
{
    static const struct cprof_scope_host host = {
        .core = cprof_processes_core_of_caller,
        .stamp = cprof_request_stamp,
    };
    struct cprof_error error;

    if (!cprof_module_install(&interpreter, &host, &error)) {
        cprof_log(CPROF_LOG_WARNING, "%s: the module cloudprofiler cannot be imported", error.text);
    }
}

/* All plugins are loaded now, whatever their order in the configuration is. */
static void meet_python(void)
{
    struct cprof_error error;

    progress = REFUSED;
    if (!cprof_sampler_reserve_tags(cprof_options_tags())) {
        company.python_trouble = "no room for the tags that were asked for: at most 16 keys";
        cprof_log(CPROF_LOG_ERROR, "%s", company.python_trouble);
        return;
    }
    switch (cprof_python_find(&interpreter, &error)) {
    case CPROF_PYTHON_REFUSED:
        company.python_trouble = "this CPython is not the one that this plugin was built for";
        cprof_log(CPROF_LOG_ERROR, "%s: not profiling", error.text);
        break;
    case CPROF_PYTHON_ABSENT:
        cprof_notice("no Python plugin is loaded in this server: not profiling");
        break;
    case CPROF_PYTHON_READY:
        if (cprof_processes_hook_python(start_sampling, add_core_thread)) {
            company.python_trouble = "";
            company.python_version = interpreter.version;
            progress = HAS_PYTHON;
        } else {
            cprof_notice("no Python plugin is loaded in this server: not profiling");
        }
        break;
    }
}

static int init(void)
{
    cprof_log_setup(print, cprof_options_verbose());
    if (progress != LOADED) {
        return 0;
    }
    cprof_gateway_environment_note();
    cprof_metrics_register();
    meet_python();
    cprof_gateway_adopt_previous();
    cprof_loops_note_greenlet_plugin();
    if (progress == HAS_PYTHON) {
        offer_module();
        if (cprof_options_google_start()) {
            offer_google_module();
        }
    }
    return 0;
}

/* Says in one line why there is nothing to do, if that is so. */
static bool is_inert(void)
{
    struct cprof_slot_counts slots = cprof_processes_slot_counts();
    struct cprof_error error;

    if (options->unusable) {
        return true; /* it was said */
    }
    if (options->disabled) {
        cprof_notice("disabled: not profiling");
    } else if (options->config.disable_cpu && options->config.disable_wall) {
        cprof_notice("CPU and wall profiles are both disabled: not profiling");
    } else if (!cprof_config_wants_profiles(&options->config)) {
        cprof_notice("none of cloudprofiler-service, cloudprofiler-output-dir, cloudprofiler-http "
                     "and cloudprofiler-slow-request is given: not profiling");
    } else if (slots.workers + slots.mules + slots.spoolers == 0) {
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
    struct cprof_slot_counts slots = cprof_processes_slot_counts();

    config->magic = CPROF_CONFIG_MAGIC;
    config->version = CPROF_CONFIG_VERSION;
    config->config_bytes = sizeof(*config);
    config->started_unix_ns = cprof_now_unix_ns();
    config->worker_count = slots.workers;
    config->mule_count = slots.mules;
    config->spooler_count = slots.spoolers;
    config->slot_count = slots.workers + slots.mules + slots.spoolers;
    (void)snprintf(config->uwsgi_version, sizeof(config->uwsgi_version), "%s",
                   cprof_processes_uwsgi_version());
    (void)snprintf(config->python_version, sizeof(config->python_version), "%s",
                   interpreter.version);
}

static pid_t start_upload_check(struct cprof_error *error)
{
    static struct cprof_options completed;

    completed = *options;
    complete_config(&completed.config);
    if (completed.config.slot_count == 0) {
        completed.config.slot_count = 1; /* nobody is told the number of workers here */
    }
    return cprof_gateway_run_check(&completed, error);
}

/* All options are known, Python has not been started, and the identity is the server's. */
static bool check(void)
{
    cprof_log_setup(print, cprof_options_verbose());
    meet_python();
    options = cprof_options_finish();
    company.is_disabled = options->disabled;
    return cprof_check(&company, &options->config, start_upload_check);
}

/* Appends "2 mules" with what divides it from the text before; nothing where there are none. */
static void append_count(char *text, size_t text_bytes, uint32_t count, const char *what)
{
    size_t used = strlen(text);

    if (count > 0) {
        (void)snprintf(text + used, text_bytes - used, "%s%u %s%s", used > 0 ? ", " : "", count,
                       what, count > 1 ? "s" : "");
    }
}

/* Where profiles go, each with "; " before it. */
static void list_places(char *text, size_t text_bytes, const struct cprof_config *config)
{
    FILE *places = fmemopen(text, text_bytes, "w");

    if (!places) {
        return;
    }
    if (config->output_dir[0] != '\0') {
        (void)fprintf(places, "; %u s of each %u s go to %s", config->output_duration_s,
                      config->output_interval_s, config->output_dir);
    }
    if (config->upload) {
        (void)fprintf(places, "; to Cloud Profiler as service %s", config->service);
    }
    if (config->slow_request_s > 0) {
        (void)fprintf(places, "; of requests beyond %u s", config->slow_request_s);
    }
    if (config->http_address[0] != '\0') {
        (void)fprintf(places, "; endpoint %s", config->http_address);
    }
    (void)fclose(places);
}

/* Says what the figures are worth: once, before workers find out for themselves. */
static void announce(const struct cprof_config *config)
{
    const char *kinds = config->disable_wall  ? "CPU profiles"
                        : config->disable_cpu ? "wall profiles"
                                              : "CPU and wall profiles";
    char processes[128] = "", places[CPROF_PATH_BYTES + 512] = "";
    const char *refusal = cprof_engine_perf_ask();

    append_count(processes, sizeof(processes), config->worker_count, "worker");
    append_count(processes, sizeof(processes), config->mule_count, "mule");
    append_count(processes, sizeof(processes), config->spooler_count, "spooler");
    list_places(places, sizeof(places), config);
    cprof_notice("version " CPROF_VERSION ": %s of %s, a sample each %u ms%s", kinds, processes,
                 config->period_ms, places);
    if (refusal && !config->disable_cpu) {
        cprof_notice("perf_event_open is refused (%s): CPU time is sampled on the kernel's tick "
                     "alone, which misjudges requests of a few milliseconds; docs/engines.md "
                     "tells how to allow it",
                     refusal);
    }
}

static void warn_without_master(const struct cprof_config *config)
{
    if (config->slow_request_s && !cprof_deadlines_have_master()) {
        cprof_notice("cloudprofiler-slow-request needs uWSGI's master: slow requests are not "
                     "followed");
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
    if (!cprof_gateway_prepare(&completed, &segment_fd, &error) ||
        (!cprof_processes_detaches_later() && !cprof_gateway_register(&error))) {
        cprof_log(CPROF_LOG_ERROR, "%s: not profiling", error.text);
        return false;
    }
    announce(&completed.config);
    if (cprof_start_answer_taken()[0] != '\0') {
        cprof_notice("%s", cprof_start_answer_taken());
    }
    warn_without_master(&completed.config);
    return true;
}

/* In the master, and in a worker that loads the apps by itself when these are loaded. */
static void report_other_agent(void)
{
    if (progress == READY && cprof_options_google_start()) {
        cprof_other_agent_report();
    }
}

/* Number of workers and uid are final; nothing has been forked. */
static void postinit_apps(void)
{
    cprof_start_answer_seal();
    if (progress == HAS_PYTHON) {
        cprof_log_setup(print, cprof_options_verbose()); /* the app may have set it */
        options = cprof_options_finish();
        cprof_request_note_slow_exceptions(&options->slow_exceptions);
        if (start_gateway()) {
            progress = READY;
            report_other_agent();
            cprof_app_signals_enable(interpreter.version);
            return;
        }
    }
    cprof_gateway_drop_previous();
}

static void at_exit(void)
{
    if (progress == READY) {
        cprof_sampler_stop();
    }
}

/* Mapped here and not before the first fork, so that no other process has it. */
static void master_cycle(void)
{
    static bool refused;
    struct cprof_error error;

    if (progress != READY || refused) {
        return;
    }
    if (!cprof_deadlines_begin(segment_fd, options->config.slow_request_s, &error)) {
        refused = true;
        cprof_log(CPROF_LOG_WARNING, "%s: slow requests and harakiri are not followed", error.text);
        return;
    }
    cprof_deadlines_copy();
}

static void note_harakiri(int worker)
{
    if (progress == READY) {
        cprof_deadlines_note_strike(worker);
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
    .init_apps = report_other_agent,
    .postinit_apps = postinit_apps,
    .hijack_worker = follow_turns,
    .atexit = at_exit,
    .master_cycle = master_cycle,
    .harakiri = note_harakiri,
    .master_cleanup = master_cleanup,
};
