/* test_loop.c - see gateway/loop/loop.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "../../gateway/loop/loop.h"
#include "../../shared/segment/window.h"
#include "expect.h"

/* A pipe whose reading end is ready, watched; its callback does as it is told. */
struct piped {
    struct cprof_loop *loop;
    struct cprof_loop_watch watch;
    int fds[2];
    unsigned calls;
    struct piped *removes, *adds;
};

/* A timer whose callback does as it is told. */
struct timed {
    struct cprof_loop *loop;
    struct cprof_loop_timer timer;
    unsigned calls;
    struct timed *removes;
    bool again;
    unsigned stops_at; /* this call; 0: at none */
};

static void on_ready(void *context, short events)
{
    struct piped *piped = context;

    EXPECT(events & POLLIN);
    piped->calls++;
    if (piped->removes) {
        cprof_loop_remove_watch(piped->loop, &piped->removes->watch);
    }
    if (piped->adds) {
        EXPECT(cprof_loop_add_watch(piped->loop, &piped->adds->watch));
        piped->adds = NULL;
    }
}

static void on_time(void *context, uint64_t now_ns)
{
    struct timed *timed = context;

    EXPECT(timed->timer.due_ns == CPROF_LOOP_NEVER);
    timed->calls++;
    if (timed->again) {
        timed->timer.due_ns = now_ns;
    }
    if (timed->removes) {
        cprof_loop_remove_timer(timed->loop, &timed->removes->timer);
    }
    if (timed->calls == timed->stops_at) {
        cprof_loop_stop(timed->loop);
    }
}

static struct piped *make_ready_pipe(struct cprof_loop *loop)
{
    struct piped *piped = calloc(1, sizeof(*piped));

    EXPECT(piped && pipe(piped->fds) == 0 && write(piped->fds[1], "x", 1) == 1);
    piped->loop = loop;
    piped->watch = (struct cprof_loop_watch){
        .fd = piped->fds[0], .events = POLLIN, .ready = on_ready, .context = piped};
    return piped;
}

static void free_pipe(struct piped *piped)
{
    close(piped->fds[0]);
    close(piped->fds[1]);
    free(piped);
}

static void add_timer(struct cprof_loop *loop, struct timed *timed, uint64_t due_ns)
{
    timed->loop = loop;
    timed->timer = (struct cprof_loop_timer){.due_ns = due_ns, .fire = on_time, .context = timed};
    EXPECT(cprof_loop_add_timer(loop, &timed->timer));
}

/* Lets the loop look at its descriptors so many times, by a timer that is always due. */
static void turn(struct cprof_loop *loop, unsigned times)
{
    struct timed stopper = {.again = true, .stops_at = times + 1};

    add_timer(loop, &stopper, 0);
    loop->stopped = false;
    cprof_loop_run(loop);
    cprof_loop_remove_timer(loop, &stopper.timer);
}

static void a_ready_descriptor_is_told_of_at_each_turn(void)
{
    struct cprof_loop loop;
    struct piped *one;

    cprof_loop_init(&loop);
    one = make_ready_pipe(&loop);
    EXPECT(cprof_loop_add_watch(&loop, &one->watch));
    turn(&loop, 3);
    EXPECT(one->calls == 3);
    cprof_loop_remove_watch(&loop, &one->watch);
    turn(&loop, 3);
    EXPECT(one->calls == 3);
    free_pipe(one);
}

static void a_watch_may_remove_itself(void)
{
    struct cprof_loop loop;
    struct piped *one;

    cprof_loop_init(&loop);
    one = make_ready_pipe(&loop);
    one->removes = one;
    EXPECT(cprof_loop_add_watch(&loop, &one->watch));
    turn(&loop, 3);
    EXPECT(one->calls == 1);
    free_pipe(one);
}

static void a_watch_that_another_removed_in_the_same_turn_is_not_called(void)
{
    struct cprof_loop loop;
    struct piped *one, *two;

    cprof_loop_init(&loop);
    one = make_ready_pipe(&loop);
    two = make_ready_pipe(&loop);
    one->removes = two;
    EXPECT(cprof_loop_add_watch(&loop, &one->watch) && cprof_loop_add_watch(&loop, &two->watch));
    turn(&loop, 2);
    EXPECT(one->calls == 2 && two->calls == 0);
    free_pipe(one);
    free_pipe(two);
}

static void a_watch_in_the_place_of_a_removed_one_waits_for_its_own_turn(void)
{
    struct cprof_loop loop;
    struct piped *one, *two, *three;

    cprof_loop_init(&loop);
    one = make_ready_pipe(&loop);
    two = make_ready_pipe(&loop);
    three = make_ready_pipe(&loop);
    one->removes = two;
    one->adds = three;
    EXPECT(cprof_loop_add_watch(&loop, &one->watch) && cprof_loop_add_watch(&loop, &two->watch));
    turn(&loop, 1);
    EXPECT(two->calls == 0 && three->calls == 0);
    turn(&loop, 1);
    EXPECT(two->calls == 0 && three->calls == 1);
    free_pipe(one);
    free_pipe(two);
    free_pipe(three);
}

static void on_ready_move(void *context, short events)
{
    struct piped *piped = context;

    (void)events;
    cprof_loop_remove_watch(piped->loop, &piped->removes->watch);
    piped->removes->watch.fd = piped->adds->fds[0];
    EXPECT(cprof_loop_add_watch(piped->loop, &piped->removes->watch));
}

static void a_watch_that_is_used_again_is_not_told_of_its_old_descriptor(void)
{
    struct cprof_loop loop;
    struct piped *one, *two, *three;

    cprof_loop_init(&loop);
    one = make_ready_pipe(&loop);
    two = make_ready_pipe(&loop);
    three = make_ready_pipe(&loop);
    one->watch.ready = on_ready_move;
    one->removes = two;
    one->adds = three;
    EXPECT(cprof_loop_add_watch(&loop, &one->watch) && cprof_loop_add_watch(&loop, &two->watch));
    turn(&loop, 1);
    EXPECT(two->calls == 0);
    free_pipe(one);
    free_pipe(two);
    free_pipe(three);
}

static void a_removed_watch_gives_its_place_back(void)
{
    static struct cprof_loop_watch watches[CPROF_LOOP_WATCHES_MAX + 1];
    struct cprof_loop loop;

    cprof_loop_init(&loop);
    for (unsigned i = 0; i < CPROF_LOOP_WATCHES_MAX; i++) {
        EXPECT(cprof_loop_add_watch(&loop, &watches[i]));
    }
    EXPECT(!cprof_loop_add_watch(&loop, &watches[CPROF_LOOP_WATCHES_MAX]));
    cprof_loop_remove_watch(&loop, &watches[CPROF_LOOP_WATCHES_MAX]); /* was never added */
    EXPECT(!cprof_loop_add_watch(&loop, &watches[CPROF_LOOP_WATCHES_MAX]));
    cprof_loop_remove_watch(&loop, &watches[7]);
    EXPECT(cprof_loop_add_watch(&loop, &watches[CPROF_LOOP_WATCHES_MAX]));
}

static void a_timer_fires_once_when_it_is_due_and_not_before(void)
{
    struct cprof_loop loop;
    struct timed due = {0}, later = {0}, never = {0};

    cprof_loop_init(&loop);
    add_timer(&loop, &due, 0);
    add_timer(&loop, &later, cprof_now_ns() + UINT64_C(3600000000000));
    add_timer(&loop, &never, CPROF_LOOP_NEVER);
    turn(&loop, 3);
    EXPECT(due.calls == 1 && later.calls == 0 && never.calls == 0);
}

static void the_loop_sleeps_until_the_earliest_timer(void)
{
    struct cprof_loop loop;
    struct timed soon = {.stops_at = 1}, later = {0};
    uint64_t begin_ns = cprof_now_ns();

    cprof_loop_init(&loop);
    add_timer(&loop, &later, begin_ns + UINT64_C(3600000000000));
    add_timer(&loop, &soon, begin_ns + 5000000);
    cprof_loop_run(&loop);
    EXPECT(cprof_now_ns() >= begin_ns + 5000000);
    EXPECT(soon.calls == 1 && later.calls == 0);
}

static void a_timer_that_another_removed_does_not_fire(void)
{
    struct cprof_loop loop;
    struct timed one = {0}, two = {0};

    cprof_loop_init(&loop);
    one.removes = &two;
    add_timer(&loop, &one, 0);
    add_timer(&loop, &two, 0);
    turn(&loop, 2);
    EXPECT(one.calls == 1 && two.calls == 0);
}

static void a_timer_may_remove_itself_and_gives_its_place_back(void)
{
    struct cprof_loop loop;
    struct timed one = {.again = true};
    static struct cprof_loop_timer others[CPROF_LOOP_TIMERS_MAX];

    cprof_loop_init(&loop);
    one.removes = &one;
    add_timer(&loop, &one, 0);
    turn(&loop, 3);
    EXPECT(one.calls == 1);
    for (unsigned i = 0; i < CPROF_LOOP_TIMERS_MAX; i++) {
        EXPECT(cprof_loop_add_timer(&loop, &others[i]));
    }
    EXPECT(!cprof_loop_add_timer(&loop, &one.timer));
}

int main(void)
{
    RUN(a_ready_descriptor_is_told_of_at_each_turn);
    RUN(a_watch_may_remove_itself);
    RUN(a_watch_that_another_removed_in_the_same_turn_is_not_called);
    RUN(a_watch_in_the_place_of_a_removed_one_waits_for_its_own_turn);
    RUN(a_watch_that_is_used_again_is_not_told_of_its_old_descriptor);
    RUN(a_removed_watch_gives_its_place_back);
    RUN(a_timer_fires_once_when_it_is_due_and_not_before);
    RUN(the_loop_sleeps_until_the_earliest_timer);
    RUN(a_timer_that_another_removed_does_not_fire);
    RUN(a_timer_may_remove_itself_and_gives_its_place_back);
    return 0;
}
