/* scheduled_windows.c - see scheduled_windows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scheduled_windows.h"

#include <unistd.h>

#include "../../shared/base/log.h"
#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"
#include "hand_over.h"

/* Beside one that is not given back a window needs a base, which dies with the gateway: the next
 * turn leaves a disk that is well the time to write. */
#define WRITE_WAIT_NS (250 * NS_PER_MS)

/* The next turn, if turns are taken now. */
static void look_again(struct cprof_scheduled_windows *scheduled)
{
    if (scheduled->schedule.interval_ns) {
        scheduled->timer.due_ns = 0;
    }
}

/* Its profiles are written, or dropped. */
static void give_back(const struct cprof_held *held)
{
    struct cprof_scheduled_windows *scheduled = held->context;

    if (held->number == scheduled->held_number) {
        scheduled->is_held = false;
        cprof_windows_release(scheduled->windows, held->handle);
        look_again(scheduled);
    }
}

/* NULL: the window is given back at once. */
static struct cprof_hold *hold(struct cprof_scheduled_windows *scheduled, int handle)
{
    const struct cprof_held held = {
        .give_back = give_back,
        .context = scheduled,
        .handle = handle,
        .number = scheduled->held_number + 1,
    };
    struct cprof_hold *made = scheduled->is_held ? NULL : cprof_hold_create(&held);

    if (made) {
        scheduled->is_held = true;
        scheduled->held_since_ns = cprof_now_ns();
        scheduled->held_number++;
    }
    return made;
}

static void finished(void *context, const struct cprof_window_result *result)
{
    struct cprof_scheduled_windows *scheduled = context;
    const struct cprof_why why = {
        .reason = CPROF_REASON_SCHEDULE,
        .source = CPROF_SOURCE_SCHEDULE,
        .may_be_delivered = result->adopted,
        .hold = hold(scheduled, result->handle),
    };

    cprof_hand_over(scheduled->sinks, result->harvest, &why);
    if (why.hold) {
        cprof_hold_let_go(why.hold, true);
    } else {
        cprof_windows_release(scheduled->windows, result->handle);
    }
    look_again(scheduled);
}

/* A turn that has to wait until more than half of it is gone is left out, as one that comes that
 * late is. */
static void order_window(struct cprof_scheduled_windows *scheduled, uint64_t end_ns)
{
    const struct cprof_window_order order = {
        .kinds = cprof_config_kinds(scheduled->config),
        .source = CPROF_SOURCE_SCHEDULE,
        .period_ns = scheduled->config->period_ms * NS_PER_MS,
        .end_ns = end_ns,
        .latest_start_ns = end_ns - scheduled->schedule.duration_ns / 2,
        .finished = finished,
        .context = scheduled,
    };
    struct cprof_error error;

    if (cprof_windows_order(scheduled->windows, &order, &error) < 0) {
        cprof_log(CPROF_LOG_WARNING, "a turn of the schedule is left out: %s", error.text);
    }
}

/* While one of the schedule's own stands, adopted or ending just now, the turn waits for it; for
 * one that is being written not long. */
static void look(void *context, uint64_t now_ns)
{
    struct cprof_scheduled_windows *scheduled = context;
    uint64_t end_ns;

    if (cprof_windows_count(scheduled->windows, CPROF_SOURCE_SCHEDULE) > scheduled->is_held) {
        return;
    }
    if (scheduled->is_held && now_ns < scheduled->held_since_ns + WRITE_WAIT_NS) {
        scheduled->timer.due_ns = scheduled->held_since_ns + WRITE_WAIT_NS;
        return;
    }
    if (cprof_schedule_take(&scheduled->schedule, now_ns, &end_ns)) {
        order_window(scheduled, end_ns);
    }
    scheduled->timer.due_ns = cprof_schedule_next_ns(&scheduled->schedule);
}

bool cprof_scheduled_windows_begin(struct cprof_scheduled_windows *scheduled,
                                   const struct cprof_config *config, struct cprof_windows *windows,
                                   const struct cprof_sinks *sinks, struct cprof_loop *loop,
                                   struct cprof_error *error)
{
    *scheduled = (struct cprof_scheduled_windows){
        .config = config,
        .windows = windows,
        .sinks = sinks,
        .timer = {.due_ns = CPROF_LOOP_NEVER, .fire = look, .context = scheduled},
    };
    cprof_windows_adopt(windows, CPROF_SOURCE_SCHEDULE, finished, scheduled);
    return cprof_loop_add_timer(loop, &scheduled->timer)
               ? true
               : cprof_fail(error, "the loop has no place for the schedule");
}

void cprof_scheduled_windows_start(struct cprof_scheduled_windows *scheduled, uint64_t now_ns)
{
    const struct cprof_config *config = scheduled->config;
    /* Instances of one machine differ in the process, those of a cluster in the time as well. */
    uint64_t seed = cprof_now_unix_ns() ^ (uint64_t)getpid() << 32 ^ config->server_key;

    cprof_schedule_init(&scheduled->schedule, now_ns, config->output_interval_s,
                        config->output_duration_s, seed);
    scheduled->timer.due_ns = 0;
}

void cprof_scheduled_windows_drop(struct cprof_scheduled_windows *scheduled)
{
    scheduled->held_number++; /* a hold that is out gives nothing back */
    scheduled->is_held = false;
    cprof_windows_drop(scheduled->windows, CPROF_SOURCE_SCHEDULE);
}

uint64_t cprof_scheduled_windows_next_end_unix_ns(const struct cprof_scheduled_windows *scheduled)
{
    const struct cprof_schedule *schedule = &scheduled->schedule;
    uint64_t end_ns = cprof_schedule_next_ns(schedule) + schedule->duration_ns;

    return schedule->interval_ns ? cprof_now_unix_ns() + end_ns - cprof_now_ns() : 0;
}

void cprof_scheduled_windows_pause(struct cprof_scheduled_windows *scheduled)
{
    scheduled->schedule = (struct cprof_schedule){0};
    scheduled->timer.due_ns = CPROF_LOOP_NEVER;
}
