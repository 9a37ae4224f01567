/* test_request.c - see plugin/host/request.h. uWSGI's tables are this file's own.
 *
 * sources: plugin/host/request.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#undef exit /* uwsgi.h has one of its own */

#include "../../plugin/host/request.h"

#include "expect.h"

#define CORES   2
#define APPS    3
#define OTHER   5 /* modifier of another language */
#define MAIN    UINT64_C(0x1000)
#define SECOND  UINT64_C(0x2000)
#define SWAPPED UINT64_C(0x3000)

struct uwsgi_server uwsgi;

static struct uwsgi_app apps[APPS];
static void *states[CORES][APPS];
static struct uwsgi_core cores[CORES];
static struct uwsgi_worker workers[2];

/* One worker; app 0 in the main interpreter, app 1 in another, app 2 of another language. Core 1
 * serves app 1. */
static void set_up(void)
{
    memset(&uwsgi, 0, sizeof(uwsgi));
    memset(apps, 0, sizeof(apps));
    memset(cores, 0, sizeof(cores));
    apps[0].interpreter = (void *)MAIN;
    apps[1].interpreter = (void *)SECOND;
    apps[2].interpreter = (void *)SECOND;
    apps[2].modifier1 = OTHER;
    for (int i = 0; i < CORES; i++) {
        cores[i].ts = states[i];
    }
    states[1][1] = (void *)SWAPPED;
    cores[1].in_request = 1;
    cores[1].req.app_id = 1;
    workers[1].apps = apps;
    workers[1].apps_cnt = APPS;
    workers[1].cores = cores;
    uwsgi.workers = workers;
    uwsgi.numproc = 1;
    uwsgi.mywid = 1;
    uwsgi.cores = CORES;
    uwsgi.threads = CORES;
    uwsgi.max_apps = APPS;
    cprof_request_note_main_state(MAIN);
}

static void a_core_with_a_request_is_told_from_one_without(void)
{
    set_up();

    EXPECT(!cprof_request_is_running(0));
    EXPECT(cprof_request_is_running(1));
    EXPECT(cprof_request_thread_state(0) == 0);
}

static void with_threads_each_core_has_its_own_state_of_a_second_app(void)
{
    set_up();

    EXPECT(cprof_request_thread_state(1) == SWAPPED);
}

static void without_threads_the_second_app_has_one_state(void)
{
    set_up();
    uwsgi.threads = 1;

    EXPECT(cprof_request_thread_state(1) == SECOND);
}

static void nothing_is_swapped_in_for_the_main_interpreter(void)
{
    set_up();
    cores[1].req.app_id = 0;

    EXPECT(cprof_request_thread_state(1) == 0);

    cores[1].req.app_id = 1;
    uwsgi.single_interpreter = 1;
    EXPECT(cprof_request_thread_state(1) == 0);
}

static void an_app_of_another_language_has_no_thread_state(void)
{
    set_up();
    cores[1].req.app_id = 2;

    EXPECT(cprof_request_thread_state(1) == 0);
}

static void indices_out_of_bounds_read_nothing(void)
{
    static const int bad_cores[] = {-1, CORES, INT_MAX, INT_MIN};
    static const int bad_apps[] = {-1, APPS, INT_MAX, INT_MIN};

    set_up();
    for (size_t i = 0; i < sizeof(bad_cores) / sizeof(bad_cores[0]); i++) {
        EXPECT(!cprof_request_is_running(bad_cores[i]));
        EXPECT(cprof_request_thread_state(bad_cores[i]) == 0);
    }
    for (size_t i = 0; i < sizeof(bad_apps) / sizeof(bad_apps[0]); i++) {
        cores[1].req.app_id = bad_apps[i];
        EXPECT(cprof_request_is_running(1));
        EXPECT(cprof_request_thread_state(1) == 0);
    }
}

static void mules_and_spoolers_have_no_requests(void)
{
    set_up();
    uwsgi.mywid = 0;

    EXPECT(!cprof_request_is_running(1));
    EXPECT(cprof_request_thread_state(1) == 0);
}

int main(void)
{
    RUN(a_core_with_a_request_is_told_from_one_without);
    RUN(with_threads_each_core_has_its_own_state_of_a_second_app);
    RUN(without_threads_the_second_app_has_one_state);
    RUN(nothing_is_swapped_in_for_the_main_interpreter);
    RUN(an_app_of_another_language_has_no_thread_state);
    RUN(indices_out_of_bounds_read_nothing);
    RUN(mules_and_spoolers_have_no_requests);
    return 0;
}
