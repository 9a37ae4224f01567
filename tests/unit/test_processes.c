/* test_processes.c - see plugin/host/processes.h. uWSGI's tables are this file's own.
 *
 * sources: plugin/host/processes.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#undef exit /* uwsgi.h has one of its own */

#include "../../plugin/host/processes.h"

#include "expect.h"

#define NAME_BYTES 64

struct uwsgi_server uwsgi;

static struct uwsgi_spooler spoolers[3];

/* Two workers, three mules, two spoolers and one that another instance runs between them. */
static void set_up(void)
{
    memset(&uwsgi, 0, sizeof(uwsgi));
    memset(spoolers, 0, sizeof(spoolers));
    spoolers[0].next = &spoolers[1];
    spoolers[1].next = &spoolers[2];
    spoolers[1].mode = UWSGI_SPOOLER_EXTERNAL;
    uwsgi.spoolers = spoolers;
    uwsgi.mules_cnt = 3;
    uwsgi.numproc = 2;
    uwsgi.threads = 4;
    uwsgi.master_process = 1;
}

static void expect_slot(uint32_t wanted_slot, uint32_t wanted_cores, const char *wanted_name)
{
    char name[NAME_BYTES];
    uint32_t slot = UINT32_MAX;

    cprof_processes_core_name(0, name, sizeof(name));
    EXPECT(cprof_processes_own_slot(&slot));
    EXPECT(slot == wanted_slot);
    EXPECT(cprof_processes_core_count() == wanted_cores);
    EXPECT(strcmp(name, wanted_name) == 0);
}

static void workers_come_first_then_mules_then_spoolers(void)
{
    set_up();
    uwsgi.mywid = 2;
    expect_slot(1, 4, "uWSGIWorker2Core0");

    set_up();
    uwsgi.muleid = 3;
    expect_slot(4, 1, "uWSGIMule3");

    set_up();
    uwsgi.i_am_a_spooler = &spoolers[2];
    expect_slot(6, 1, "uWSGISpooler2");
}

static void processes_that_are_forked_by_others_or_nobody_are_not_counted(void)
{
    struct cprof_slot_counts counts;

    set_up();
    counts = cprof_processes_slot_counts();
    EXPECT(counts.workers == 2 && counts.mules == 3 && counts.spoolers == 2);

    uwsgi.master_process = 0;
    uwsgi.worker_exec = (char *)"/bin/true";
    counts = cprof_processes_slot_counts();
    EXPECT(counts.workers == 0 && counts.mules == 0 && counts.spoolers == 2);
}

static void a_process_without_a_place_has_no_slot(void)
{
    uint32_t slot;

    set_up();
    EXPECT(!cprof_processes_own_slot(&slot));

    uwsgi.mywid = 3;
    EXPECT(!cprof_processes_own_slot(&slot));

    uwsgi.mywid = 1;
    uwsgi.worker_exec2 = (char *)"/bin/true";
    EXPECT(!cprof_processes_own_slot(&slot));
}

static char calls[8];

static void original_post_fork(void)
{
    strncat(calls, "p", sizeof(calls) - strlen(calls) - 1);
}

static void on_process(void)
{
    strncat(calls, "P", sizeof(calls) - strlen(calls) - 1);
}

static void original_init_thread(int core)
{
    EXPECT(core == 7);
    strncat(calls, "t", sizeof(calls) - strlen(calls) - 1);
}

static void on_core_thread(int core)
{
    EXPECT(core == 7);
    strncat(calls, "T", sizeof(calls) - strlen(calls) - 1);
}

static void both_hooks_come_after_the_python_plugins_own(void)
{
    struct uwsgi_plugin other = {.name = "other", .init_thread = original_init_thread};
    struct uwsgi_plugin python = {
        .name = "python",
        .post_fork = original_post_fork,
        .init_thread = original_init_thread,
    };

    set_up();
    uwsgi.p[3] = &other;
    EXPECT(!cprof_processes_hook_python(on_process, on_core_thread));
    uwsgi.p[4] = &python;
    EXPECT(cprof_processes_hook_python(on_process, on_core_thread));

    python.post_fork();
    python.init_thread(7);

    EXPECT(strcmp(calls, "pPtT") == 0);
    EXPECT(other.init_thread == original_init_thread);
}

int main(void)
{
    RUN(workers_come_first_then_mules_then_spoolers);
    RUN(processes_that_are_forked_by_others_or_nobody_are_not_counted);
    RUN(a_process_without_a_place_has_no_slot);
    RUN(both_hooks_come_after_the_python_plugins_own);
    return 0;
}
