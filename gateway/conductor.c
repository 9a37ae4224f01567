/* conductor.c - see conductor.h.
 *
 * The life of a window, and what a kill of the gateway at each point leaves behind:
 *
 *     open        descriptor, then its bit. Killed before the bit: there is no window.
 *     sample      killed: the bit stands; the next gateway waits for the end and goes on.
 *     harvest     the logs are read, nothing is changed. Killed: the next one reads them again.
 *     deliver     each file gets its name, one a kind. Killed behind that, before the bit is
 *                 cleared: the next one makes the same profiles, with the same names, and the
 *                 sink finds there those that were delivered. A sink that cannot tell would get
 *                 them twice.
 *     close       the bit is cleared. Killed: no window stands, so nothing is harvested again.
 *     new epoch   the logs are given back; the next gateway does that first in any case.
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

#include "../plugin/base/log.h"
#include "../plugin/share/window.h"
#include "harvest.h"
#include "loop/loop.h"
#include "schedule.h"
#include "sinks/directory.h"
#include "slots.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

#define HEARTBEAT_NS NS_PER_S

/* Slots close an epoch within milliseconds; a stopped process never does. */
#define CLOSE_LOOK_NS (10 * NS_PER_MS)
#define CLOSE_WAIT_NS NS_PER_S

/* A gateway that keeps dying begins its work later and later. */
#define FREE_STARTS     5
#define YOUNG_NS        (10 * NS_PER_S)
#define START_DELAY_NS  (500 * NS_PER_MS)
#define START_DELAY_MAX 20

enum state {
    STATE_BEGIN,   /* nothing was looked at yet */
    STATE_IDLE,    /* no window stands */
    STATE_OPEN,    /* a window stands and samples */
    STATE_CLOSING, /* it has ended; slots are closing their logs */
};

struct conductor {
    const struct cprof_config *config;
    const struct cprof_segment *segment;
    struct cprof_control *control;
    const int *previous_fds;
    size_t previous_count;

    struct cprof_loop loop;
    struct cprof_loop_timer heartbeat, work;
    struct cprof_loop_watch signals;
    struct cprof_schedule schedule;
    struct cprof_sink *sink; /* NULL: profiles have nowhere to go */

    enum state state;
    struct cprof_window window;
    int window_index;
    bool adopted; /* the window was opened by a gateway before this one */
    uint64_t close_deadline_ns;
};

static void beat(void *context, uint64_t now_ns)
{
    struct conductor *conductor = context;

    atomic_store(&conductor->control->heartbeat_ns, now_ns);
    conductor->heartbeat.due_ns = now_ns + HEARTBEAT_NS;
}

static void stop(void *context, short events)
{
    struct conductor *conductor = context;

    (void)events;
    cprof_log(CPROF_LOG_INFO, "the gateway stops");
    cprof_loop_stop(&conductor->loop);
}

/* Makes the window's profiles and gives them to the sink. A profile that cannot be made or
 * delivered is dropped and counted: the windows go on. */
static void harvest_and_deliver(struct conductor *conductor, const struct cprof_segment *segment,
                                const struct cprof_window *window, bool may_be_delivered)
{
    struct cprof_harvest harvest;
    struct cprof_error error;
    bool ok;

    if (!conductor->sink) {
        return;
    }
    ok = cprof_harvest_make(&harvest, segment, conductor->config, window, &error);
    if (!ok) {
        cprof_log(CPROF_LOG_WARNING, "a window's profiles are lost: %s", error.text);
    }
    for (unsigned i = 0; i < harvest.count; i++) {
        struct cprof_finished_profile profile = {
            .kind = harvest.profiles[i].kind,
            .bytes = harvest.profiles[i].bytes,
            .byte_count = harvest.profiles[i].byte_count,
            .time_unix_ns = window->start_unix_ns,
            .may_be_delivered = may_be_delivered,
        };
        bool delivered = ok && conductor->sink->deliver(conductor->sink, &profile);

        atomic_fetch_add(delivered ? &conductor->control->profiles_written
                                   : &conductor->control->profiles_failed,
                         1);
    }
    cprof_harvest_reset(&harvest);
}

/* Writes what a reload cut short. The processes are gone, so there is nothing to wait for. */
static void harvest_previous(struct conductor *conductor, int fd)
{
    struct cprof_segment previous;
    struct cprof_control *control;
    struct cprof_window window;
    struct cprof_error error;
    uint64_t closed_ns;

    if (!cprof_segment_open(&previous, fd, &error)) {
        cprof_log(CPROF_LOG_WARNING, "what was sampled before the reload is lost: %s", error.text);
        return;
    }
    control = cprof_segment_control(&previous);
    if (!atomic_load(&control->harvested) && cprof_harvest_find_window(&previous, &window) >= 0) {
        closed_ns = atomic_load(&control->closed_ns);
        if (closed_ns > window.start_ns && closed_ns < window.end_ns) {
            window.end_ns = closed_ns;
        }
        harvest_and_deliver(conductor, &previous, &window, true);
    }
    atomic_store(&control->harvested, 1);
    cprof_segment_close(&previous);
}

static void begin(struct conductor *conductor, uint64_t now_ns)
{
    const struct cprof_config *config = conductor->config;

    for (size_t i = 0; i < conductor->previous_count; i++) {
        harvest_previous(conductor, conductor->previous_fds[i]);
        close(conductor->previous_fds[i]);
    }
    cprof_schedule_init(&conductor->schedule, now_ns, config->output_interval_s,
                        config->output_duration_s);
    conductor->window_index = cprof_harvest_find_window(conductor->segment, &conductor->window);
    if (conductor->window_index >= 0) {
        cprof_log(CPROF_LOG_INFO, "the gateway goes on with window %u", conductor->window.id);
        conductor->adopted = true;
        conductor->state = STATE_OPEN;
        return;
    }
    cprof_slots_begin_epoch(conductor->segment);
    conductor->state = STATE_IDLE;
}

/* What a window of the schedule collects; 0: nothing. */
static uint32_t wanted_kinds(const struct cprof_config *config)
{
    return (config->disable_cpu ? 0 : (uint32_t)CPROF_KIND_CPU) |
           (config->disable_wall ? 0 : (uint32_t)CPROF_KIND_WALL);
}

static void open_window(struct conductor *conductor, uint64_t now_ns, uint64_t end_ns)
{
    conductor->window = (struct cprof_window){
        .kinds = wanted_kinds(conductor->config),
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = conductor->config->period_ms * NS_PER_MS,
        .start_ns = now_ns,
        .end_ns = end_ns,
        .start_unix_ns = cprof_now_unix_ns(),
    };
    /* This gateway has no window now: what stands there was scribbled by somebody. */
    if (atomic_exchange(&conductor->control->window_mask, 0) != 0) {
        cprof_log(CPROF_LOG_WARNING, "a process wrote to the window mask in shared memory");
    }
    conductor->window_index = cprof_window_open(conductor->control, &conductor->window);
    if (conductor->window_index < 0) {
        return;
    }
    cprof_log(CPROF_LOG_DEBUG, "window %u opens for %.1f s", conductor->window.id,
              (double)(end_ns - now_ns) / 1e9);
    conductor->adopted = false;
    conductor->state = STATE_OPEN;
}

static void finish_window(struct conductor *conductor)
{
    harvest_and_deliver(conductor, conductor->segment, &conductor->window, conductor->adopted);
    cprof_window_close(conductor->control, conductor->window_index);
    cprof_slots_begin_epoch(conductor->segment);
    conductor->state = STATE_IDLE;
}

/* Idle: opens the window that is due. Returns when to look again. */
static uint64_t work_idle(struct conductor *conductor, uint64_t now_ns)
{
    uint64_t end_ns;

    if (!conductor->sink) {
        return CPROF_LOOP_NEVER;
    }
    if (cprof_schedule_take(&conductor->schedule, now_ns, &end_ns)) {
        open_window(conductor, now_ns, end_ns);
    }
    return conductor->state == STATE_OPEN ? conductor->window.end_ns
                                          : cprof_schedule_next_ns(&conductor->schedule);
}

static uint64_t work_open(struct conductor *conductor, uint64_t now_ns)
{
    if (now_ns < conductor->window.end_ns) {
        return conductor->window.end_ns;
    }
    conductor->close_deadline_ns = now_ns + CLOSE_WAIT_NS;
    conductor->state = STATE_CLOSING;
    return now_ns;
}

static uint64_t work_closing(struct conductor *conductor, uint64_t now_ns)
{
    if (now_ns < conductor->close_deadline_ns &&
        !cprof_slots_have_closed(conductor->segment, conductor->window.epoch)) {
        return now_ns + CLOSE_LOOK_NS;
    }
    finish_window(conductor);
    return now_ns;
}

static void work(void *context, uint64_t now_ns)
{
    struct conductor *conductor = context;

    switch (conductor->state) {
    case STATE_BEGIN:
        begin(conductor, now_ns);
        conductor->work.due_ns = now_ns;
        break;
    case STATE_IDLE:
        conductor->work.due_ns = work_idle(conductor, now_ns);
        break;
    case STATE_OPEN:
        conductor->work.due_ns = work_open(conductor, now_ns);
        break;
    case STATE_CLOSING:
        conductor->work.due_ns = work_closing(conductor, now_ns);
        break;
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

static bool set_up(struct conductor *conductor, uint64_t now_ns, struct cprof_error *error)
{
    conductor->signals.fd = open_signals();
    if (conductor->signals.fd < 0) {
        return cprof_fail_errno(error, errno, "signalfd");
    }
    if (conductor->config->output_dir[0]) {
        conductor->sink = cprof_directory_sink_create(conductor->config);
        if (!conductor->sink) {
            return cprof_fail(error, "no memory for the sink");
        }
    }
    cprof_loop_init(&conductor->loop);
    conductor->heartbeat.due_ns = now_ns;
    conductor->work.due_ns = now_ns + report_start(conductor->control, now_ns);
    return (cprof_loop_add_watch(&conductor->loop, &conductor->signals) &&
            cprof_loop_add_timer(&conductor->loop, &conductor->heartbeat) &&
            cprof_loop_add_timer(&conductor->loop, &conductor->work))
               ? true
               : cprof_fail(error, "the loop has no place left");
}

bool cprof_conductor_run(const struct cprof_config *config, const struct cprof_segment *segment,
                         const int *previous_fds, size_t previous_count, struct cprof_error *error)
{
    struct conductor conductor = {
        .config = config,
        .segment = segment,
        .control = cprof_segment_control(segment),
        .previous_fds = previous_fds,
        .previous_count = previous_count,
    };
    bool ok;

    conductor.heartbeat.fire = beat;
    conductor.work.fire = work;
    conductor.signals.ready = stop;
    conductor.signals.events = POLLIN;
    conductor.heartbeat.context = conductor.work.context = conductor.signals.context = &conductor;

    ok = set_up(&conductor, cprof_now_ns(), error);
    if (ok) {
        cprof_loop_run(&conductor.loop);
    }
    if (conductor.sink) {
        conductor.sink->destroy(conductor.sink);
    }
    if (conductor.signals.fd >= 0) {
        close(conductor.signals.fd);
    }
    return ok;
}
