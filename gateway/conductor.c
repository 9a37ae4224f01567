/* conductor.c - see conductor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conductor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../shared/base/log.h"
#include "../shared/base/units.h"
#include "../shared/segment/window.h"
#include "askers/cloud_windows.h"
#include "askers/hand_over.h"
#include "askers/scheduled_windows.h"
#include "askers/watch.h"
#include "control/command_profiles.h"
#include "control/command_runner.h"
#include "loop/loop.h"
#include "loop/side_thread.h"
#include "profile/slot_name.h"
#include "sinks/directory.h"
#include "sinks/recent.h"
#include "sinks/route.h"
#include "status/figures.h"
#include "web/server.h"
#include "windows/ceiling.h"
#include "windows/memory_share.h"
#include "windows/windows.h"

#define HEARTBEAT_NS NS_PER_S

/* Between two attempts to start what could not be started. */
#define START_AGAIN_NS (10 * NS_PER_S)

/* Files that wait for the disk, and requests for files. At the end the disk has this long. */
#define FILES_WAITING_MAX   64u
#define FILES_ASKED_FOR_MAX 16u
#define LAST_FILES_NS       (5 * NS_PER_S)

/* Profiles that wait to be converted for the endpoint. */
#define CONVERSIONS_MAX 8u

#define WHOLE_WINDOW_NS UINT64_C(900000000)

/* A gateway that keeps dying begins its work later and later. */
#define FREE_STARTS     5
#define YOUNG_NS        (10 * NS_PER_S)
#define START_DELAY_NS  (500 * NS_PER_MS)
#define START_DELAY_MAX 20

struct conductor {
    const struct cprof_config *given;
    struct cprof_config config; /* with the settings in force; what all rooms read */
    struct cprof_ceiling ceiling;
    const struct cprof_segment *segment;
    struct cprof_control *control;
    const struct cprof_conductor_fds *fds;

    struct cprof_loop loop;
    struct cprof_loop_timer heartbeat, beginning;
    struct cprof_loop_watch signals;
    struct cprof_windows *windows;
    struct cprof_watch *watch; /* from the beginning on */
    struct cprof_scheduled_windows scheduled;
    bool begun;                  /* left windows were taken on, and windows are ordered */
    struct cprof_output *output; /* NULL: there is no directory */
    struct cprof_sink *files;    /* likewise */
    struct cprof_side_rule file_rule, conversion_rule;
    struct cprof_side_thread *file_thread, *conversion_thread;
    struct cprof_sinks sinks;
    struct cprof_recent *recent;
    struct cprof_results *results;         /* NULL: no routes are served */
    struct cprof_cloud_windows *cloud;     /* NULL: nothing is uploaded */
    struct cprof_sink_counts past_uploads; /* of uploaders that were switched off */
    struct cprof_command_profiles command_profiles;
    struct cprof_web_site site;      /* with the rooms that the routes share */
    struct cprof_web_server *server; /* NULL: there is no endpoint */
    bool memory_refused;             /* in the last window that could tell */
    bool warned_of_full_log;
    bool upload_refused, watch_refused; /* could not be started, and that was logged */
    uint64_t start_again_ns;
};

/* Of this gateway, whether it uploads now or not. */
static const struct cprof_sink_counts *count_uploads(const struct conductor *conductor)
{
    return conductor->cloud ? cprof_cloud_windows_counts(conductor->cloud)
                            : &conductor->past_uploads;
}

static void stop(void *context, short events)
{
    struct conductor *conductor = context;

    (void)events;
    cprof_log(CPROF_LOG_INFO, "the gateway stops");
    cprof_loop_stop(&conductor->loop);
}

/* Once, until it could be started: what is short now may be there again in a moment. */
static void log_refusal(bool *is_refused, const char *what, const struct cprof_error *error)
{
    if (!*is_refused) {
        cprof_log(CPROF_LOG_ERROR, "%s: %s; it is tried again", what, error->text);
    }
    *is_refused = true;
}

/* Local files go on without it. */
static void start_upload(struct conductor *conductor)
{
    const struct cprof_settings *settings = cprof_command_settings(conductor->site.commands);
    struct cprof_error error;

    if (!settings->on || !settings->upload) {
        return;
    }
    conductor->cloud = cprof_cloud_windows_create(&conductor->config, &conductor->sinks,
                                                  conductor->control, &conductor->past_uploads,
                                                  conductor->windows, &conductor->loop, &error);
    if (!conductor->cloud) {
        log_refusal(&conductor->upload_refused, "nothing is sent to Cloud Profiler", &error);
        return;
    }
    conductor->upload_refused = false;
    cprof_status_set_uploader(conductor->site.status,
                              cprof_cloud_windows_uploader(conductor->cloud),
                              count_uploads(conductor));
}

/* Profiles go on without it. */
static void start_watch(struct conductor *conductor)
{
    struct cprof_error error;

    conductor->watch =
        cprof_watch_create(&conductor->config, conductor->segment, conductor->windows,
                           &conductor->loop, &conductor->sinks, &error);
    if (!conductor->watch) {
        log_refusal(&conductor->watch_refused, "slow requests and harakiri are not followed",
                    &error);
        return;
    }
    conductor->watch_refused = false;
    cprof_status_set_slow_requests_cut(conductor->site.status, cprof_watch_cut(conductor->watch));
    cprof_watch_switch(conductor->watch, cprof_command_settings(conductor->site.commands)->on);
}

/* What was refused may be possible now. */
static void start_again(struct conductor *conductor, uint64_t now_ns)
{
    if (now_ns < conductor->start_again_ns) {
        return;
    }
    conductor->start_again_ns = now_ns + START_AGAIN_NS;
    if (conductor->upload_refused && !conductor->cloud) {
        start_upload(conductor);
    }
    if (conductor->watch_refused) {
        start_watch(conductor);
    }
}

static void beat(void *context, uint64_t now_ns)
{
    struct conductor *conductor = context;

    atomic_store(&conductor->control->heartbeat_ns, now_ns);
    cprof_figures_publish(conductor->segment, count_uploads(conductor));
    conductor->heartbeat.due_ns = now_ns + HEARTBEAT_NS;
    start_again(conductor, now_ns);
    if (conductor->watch) {
        cprof_watch_look(conductor->watch, now_ns);
    }
}

/* What was under way is dropped. */
static void stop_upload(struct conductor *conductor)
{
    cprof_cloud_windows_give_up(conductor->cloud);
    conductor->past_uploads = *count_uploads(conductor);
    cprof_status_set_uploader(conductor->site.status, NULL, NULL);
    cprof_windows_drop(conductor->windows, CPROF_SOURCE_CLOUD);
    cprof_cloud_windows_destroy(conductor->cloud);
    conductor->cloud = NULL;
}

/* That it cannot be opened is said, and all else goes on. */
static void open_endpoint(struct conductor *conductor)
{
    struct cprof_error error;

    if (conductor->config.http_address[0] == '\0') {
        return;
    }
    conductor->server =
        cprof_web_server_create(&conductor->config, &conductor->loop, &conductor->site, &error);
    if (!conductor->server) {
        cprof_log(CPROF_LOG_WARNING, "there is no endpoint: %s", error.text);
    }
}

/* Where there is a directory for its profiles. */
static void switch_schedule(struct conductor *conductor, bool is_on)
{
    if (conductor->output && is_on) {
        cprof_scheduled_windows_start(&conductor->scheduled, cprof_now_ns());
    } else {
        cprof_scheduled_windows_pause(&conductor->scheduled);
    }
}

static void begin(void *context, uint64_t now_ns)
{
    struct conductor *conductor = context;
    const struct cprof_conductor_fds *fds = conductor->fds;
    bool is_on = cprof_command_settings(conductor->site.commands)->on;

    (void)now_ns;

    conductor->begun = true;
    start_upload(conductor);
    cprof_windows_begin(conductor->windows, fds->previous, fds->previous_count);
    start_watch(conductor);
    cprof_stacks_switch(conductor->site.stacks, is_on);
    switch_schedule(conductor, is_on);
    cprof_command_runner_listen(conductor->site.commands);
    open_endpoint(conductor);
}

/* The windows that are ordered from now on have the set period, or a longer one that keeps them
 * below the ceilings. */
static void choose_period(struct conductor *conductor, uint32_t set_ms)
{
    const struct cprof_ceiling *ceiling = &conductor->ceiling;
    const struct cprof_status_overhead overhead = {
        .percent = ceiling->percent,
        .ceiling_percent = ceiling->rule.ceiling_percent,
        .period_ms = cprof_ceiling_period_ms(ceiling, set_ms),
        .samples_per_s = ceiling->samples_per_s,
        .max_samples = ceiling->budget.samples_per_s,
    };

    conductor->config.set_period_ms = set_ms;
    conductor->config.period_ms = overhead.period_ms;
    cprof_status_set_overhead(conductor->site.status, &overhead);
}

/* Once, until it is over. */
static void warn_of_refused_memory(struct conductor *conductor, const struct cprof_harvest *harvest)
{
    if (!harvest || harvest->memory_refused == conductor->memory_refused) {
        return;
    }
    conductor->memory_refused = harvest->memory_refused;
    if (harvest->memory_refused) {
        cprof_log(CPROF_LOG_WARNING,
                  "the system has no memory for samples: stacks that are new are shown as "
                  "[log full] until it has some; the server is not affected");
    } else {
        cprof_log(CPROF_LOG_INFO, "the system has memory for samples again");
    }
}

/* Profiles say it each time, the log once. Where memory is refused another line says so. */
static void warn_of_full_log(struct conductor *conductor, const struct cprof_harvest *harvest)
{
    char slot[CPROF_SLOT_NAME_BYTES];

    if (!harvest || harvest->log_full_ns == 0 || harvest->memory_refused ||
        conductor->warned_of_full_log) {
        return;
    }
    conductor->warned_of_full_log = true;
    cprof_slot_name(slot, harvest->log_full_kind, harvest->log_full_number);
    cprof_log(
        CPROF_LOG_WARNING,
        "the log of %s is full (%llu KiB): %.1f s of stacks that were new stand as [log full] "
        "in the last profiles; a larger cloudprofiler-log-size or shorter windows help",
        slot, (unsigned long long)(conductor->config.log_bytes / 1024),
        (double)harvest->log_full_ns / 1e9);
}

/* Windows of the watch are parts, of which it makes profiles; shorter ones are looks at stacks: no
 * profile that anybody would choose from a list. */
static bool is_worth_keeping(const struct cprof_window *window)
{
    return window->source != CPROF_SOURCE_WATCH &&
           window->end_ns - window->start_ns >= WHOLE_WINDOW_NS;
}

static void window_ended(void *context, const struct cprof_window_result *result)
{
    struct conductor *conductor = context;
    uint32_t set_ms = cprof_command_settings(conductor->site.commands)->period_ms;
    const struct cprof_why why = {
        .reason = CPROF_REASON_WINDOW,
        .source = (enum cprof_window_source)result->window->source,
        .may_be_delivered = result->adopted,
    };

    cprof_status_window_ended(conductor->site.status, result);
    if (is_worth_keeping(result->window)) {
        cprof_hand_over(&conductor->sinks, result->harvest, &why);
    }
    warn_of_refused_memory(conductor, result->harvest);
    warn_of_full_log(conductor, result->harvest);
    cprof_ceiling_window_ended(&conductor->ceiling, result, set_ms);
    choose_period(conductor, set_ms);
}

/* What slots have counted since the last look is gone after it. */
static void logs_end(void *context)
{
    const struct conductor *conductor = context;

    (void)cprof_status_read(conductor->site.status);
}

/* All rooms read the configuration when they order their next window. */
static void take_settings(struct conductor *conductor, const struct cprof_settings *settings)
{
    struct cprof_config *config = &conductor->config;

    choose_period(conductor, settings->period_ms);
    config->disable_cpu = !(settings->kinds & CPROF_KIND_CPU);
    config->disable_wall = !(settings->kinds & CPROF_KIND_WALL);
    config->output_interval_s = settings->output_interval_s;
    if (conductor->results) {
        atomic_store(&conductor->results->off, !settings->on);
    }
}

/* An operator has changed something. The create call that hangs names kinds, so that it is made
 * anew for others. */
static void change(void *context, const struct cprof_settings *before,
                   const struct cprof_settings *after)
{
    struct conductor *conductor = context;
    bool uploads = after->on && after->upload, uploaded = before->on && before->upload;

    take_settings(conductor, after);
    if (!conductor->begun) {
        return;
    }
    cprof_stacks_switch(conductor->site.stacks, after->on);
    if (conductor->watch) {
        cprof_watch_switch(conductor->watch, after->on);
    }
    if (before->on && !after->on) {
        cprof_scheduled_windows_drop(&conductor->scheduled);
        cprof_demand_drop(conductor->command_profiles.demand);
    }
    if (uploaded && (!uploads || before->kinds != after->kinds)) {
        stop_upload(conductor);
    }
    if (uploads && !conductor->cloud) {
        start_upload(conductor);
    }
    if (before->on != after->on || before->output_interval_s != after->output_interval_s) {
        switch_schedule(conductor, after->on);
    }
}

/* Says in shared memory that this gateway is here; returns how long it must wait first. */
static uint64_t report_start(struct cprof_control *control, uint64_t now_ns)
{
    uint32_t starts = atomic_fetch_add(&control->gateway_starts, 1) + 1;
    uint64_t last_beat_ns = atomic_load(&control->heartbeat_ns);
    bool young = now_ns - last_beat_ns < YOUNG_NS;
    uint32_t steps = starts > FREE_STARTS && young ? starts - FREE_STARTS : 0;

    atomic_store(&control->gateway_pid, (uint32_t)getpid());
    return (steps < START_DELAY_MAX ? steps : START_DELAY_MAX) * START_DELAY_NS;
}

/* SIGTERM and SIGINT become a readable descriptor, so that they end the loop and nothing else. */
static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool profile(void *context, uint32_t kinds, uint32_t seconds, enum cprof_origin origin,
                    struct cprof_error *error)
{
    struct conductor *conductor = context;

    if (!conductor->begun) {
        return cprof_fail(error, "the gateway has only just started");
    }
    return cprof_command_profiles_take(&conductor->command_profiles, kinds, seconds, origin, error);
}

static void log_stacks(void *context, const char *text)
{
    (void)context;
    if (text) {
        cprof_stacks_log(text);
    }
}

static bool stacks(void *context, struct cprof_error *error)
{
    struct conductor *conductor = context;

    return cprof_stacks_order(conductor->site.stacks, CPROF_STACKS_TEXT, log_stacks, conductor,
                              error) != 0;
}

/* What operators see and can ask for: by fifo, hooks and alarms where there is no endpoint, too. */
static bool set_up_site(struct conductor *conductor, struct cprof_error *error)
{
    const struct cprof_command_host host = {
        .context = conductor, .profile = profile, .stacks = stacks, .changed = change};
    const struct cprof_config *config = &conductor->config;
    struct cprof_web_site *site = &conductor->site;

    site->config = config;
    site->output = conductor->output;
    site->files = conductor->file_thread;
    site->conversions = conductor->conversion_thread;
    site->recent = conductor->recent;
    site->scheduled = &conductor->scheduled;
    site->status = cprof_status_create(conductor->segment, conductor->windows, error);
    site->demand = cprof_demand_create(config, conductor->windows, error);
    site->stacks = cprof_stacks_create(config, conductor->segment, conductor->windows, error);
    if (!site->status || !site->demand || !site->stacks) {
        return cprof_fail(error, "no memory for what operators see");
    }
    conductor->command_profiles =
        (struct cprof_command_profiles){.demand = site->demand, .sinks = &conductor->sinks};
    site->commands = cprof_command_runner_create(
        conductor->given, conductor->segment, conductor->fds->bell, &conductor->loop, &host, error);
    if (!site->commands) {
        return false;
    }
    take_settings(conductor, cprof_command_settings(site->commands));
    cprof_windows_observe(conductor->windows, &(struct cprof_windows_observer){
                                                  .finished = window_ended,
                                                  .giving_back = logs_end,
                                                  .context = conductor,
                                              });
    cprof_status_set_files(site->status, conductor->files ? &conductor->files->counts : NULL,
                           conductor->file_thread);
    cprof_status_set_clock(site->status, &conductor->loop.clock);
    return true;
}

/* For all that may wait for a disk, and for what takes long to compute. */
static bool set_up_threads(struct conductor *conductor, struct cprof_error *error)
{
    conductor->file_rule = (struct cprof_side_rule){
        .name = "cprof files",
        .what = "files",
        .jobs_max = FILES_WAITING_MAX,
        .urgent_max = FILES_ASKED_FOR_MAX,
        .bytes_max = cprof_memory_waiting_bytes(conductor->given),
    };
    conductor->conversion_rule = (struct cprof_side_rule){
        .name = "cprof convert",
        .what = "the conversion of profiles",
        .jobs_max = CONVERSIONS_MAX,
        .bytes_max = cprof_memory_waiting_bytes(conductor->given),
    };
    conductor->file_thread =
        cprof_side_thread_create(&conductor->loop, &conductor->file_rule, error);
    conductor->conversion_thread =
        cprof_side_thread_create(&conductor->loop, &conductor->conversion_rule, error);
    return conductor->file_thread && conductor->conversion_thread;
}

static bool set_up_directory(struct conductor *conductor)
{
    conductor->output = cprof_output_create(&conductor->config);
    if (conductor->output) {
        cprof_directory_begin(conductor->output, conductor->file_thread);
        conductor->files = cprof_directory_sink_create(&conductor->config, conductor->output,
                                                       conductor->file_thread, conductor->control);
    }
    return cprof_sinks_add(&conductor->sinks, conductor->files);
}

/* All that live as long as the gateway. */
static bool set_up_sinks(struct conductor *conductor, struct cprof_error *error)
{
    struct cprof_sinks *sinks = &conductor->sinks;
    bool ok = !conductor->config.output_dir[0] || set_up_directory(conductor);

    conductor->recent = cprof_recent_create();
    ok = conductor->recent && cprof_sinks_add(sinks, cprof_recent_sink(conductor->recent)) && ok;
    if (conductor->fds->results >= 0) {
        conductor->results = cprof_results_open(conductor->fds->results, error);
        if (!conductor->results) {
            return false;
        }
        ok = cprof_sinks_add(sinks, cprof_route_sink_create(conductor->results)) && ok;
    }
    return ok ? true : cprof_fail(error, "no memory for the sinks");
}

static bool set_up(struct conductor *conductor, uint64_t now_ns, struct cprof_error *error)
{
    conductor->signals.fd = open_signals();
    if (conductor->signals.fd < 0) {
        return cprof_fail_errno(error, errno, "signalfd");
    }
    cprof_loop_init(&conductor->loop);
    if (!set_up_threads(conductor, error) || !set_up_sinks(conductor, error)) {
        return false;
    }
    cprof_ceiling_init(&conductor->ceiling, conductor->given);
    conductor->windows =
        cprof_windows_create(&conductor->config, conductor->segment, &conductor->loop, error);
    if (!conductor->windows || !set_up_site(conductor, error) ||
        !cprof_scheduled_windows_begin(&conductor->scheduled, &conductor->config,
                                       conductor->windows, &conductor->sinks, &conductor->loop,
                                       error)) {
        return false;
    }
    conductor->heartbeat.due_ns = now_ns;
    conductor->beginning.due_ns = now_ns + report_start(conductor->control, now_ns);
    return (cprof_loop_add_watch(&conductor->loop, &conductor->signals) &&
            cprof_loop_add_timer(&conductor->loop, &conductor->heartbeat) &&
            cprof_loop_add_timer(&conductor->loop, &conductor->beginning))
               ? true
               : cprof_fail(error, "the loop has no place left");
}

/* What waits is written before that by which it was made ends. False: the disk hangs, and the
 * thread goes on with the output until the process ends. */
static bool end_files(struct conductor *conductor)
{
    bool is_through = cprof_side_thread_end(conductor->file_thread, LAST_FILES_NS);

    if (!is_through) {
        cprof_notice("warning: the disk does not answer: what waited for it is not written");
    }
    return is_through;
}

static void tear_down(struct conductor *conductor)
{
    bool are_files_through;

    if (conductor->windows) {
        cprof_windows_observe(conductor->windows,
                              &(struct cprof_windows_observer){.finished = NULL});
    }
    cprof_web_server_destroy(conductor->server);
    (void)cprof_side_thread_end(conductor->conversion_thread, 0);
    are_files_through = end_files(conductor);
    cprof_stacks_destroy(conductor->site.stacks);
    cprof_demand_destroy(conductor->site.demand);
    cprof_status_destroy(conductor->site.status);
    cprof_command_runner_destroy(conductor->site.commands);
    cprof_cloud_windows_destroy(conductor->cloud);
    cprof_watch_destroy(conductor->watch);
    cprof_windows_destroy(conductor->windows);
    cprof_sinks_destroy(&conductor->sinks);
    cprof_results_close(conductor->results);
    if (are_files_through) {
        cprof_output_destroy(conductor->output);
    }
    if (conductor->signals.fd >= 0) {
        close(conductor->signals.fd);
    }
}

bool cprof_conductor_run(const struct cprof_config *config, const struct cprof_segment *segment,
                         const struct cprof_conductor_fds *fds, struct cprof_error *error)
{
    /* Not on the stack: a thread whose disk hangs may look at it until the process ends. */
    static struct conductor conductor;
    bool ok;

    conductor = (struct conductor){
        .given = config,
        .config = *config,
        .segment = segment,
        .control = cprof_segment_control(segment),
        .fds = fds,
    };
    conductor.heartbeat.fire = beat;
    conductor.beginning.fire = begin;
    conductor.signals.ready = stop;
    conductor.signals.events = POLLIN;
    conductor.heartbeat.context = conductor.beginning.context = conductor.signals.context =
        &conductor;

    ok = set_up(&conductor, cprof_now_ns(), error);
    if (ok) {
        cprof_loop_run(&conductor.loop);
    }
    tear_down(&conductor);
    return ok;
}
