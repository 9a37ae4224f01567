/* check.c - see check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shared/base/log.h"
#include "threads/engine_perf.h"
#include "threads/engine_timer.h"

static bool say(bool good, const char *good_text, const char *trouble)
{
    if (good) {
        cprof_notice("check: ok: %s", good_text);
    } else {
        cprof_notice("check: FAILED: %s", trouble);
    }
    return good;
}

/* The tick works, too: worse, not wrong. */
static bool check_engine(void)
{
    const char *refusal = cprof_engine_perf_ask();
    struct cprof_error error;

    if (!cprof_engine_timer_spares_system_calls(&error)) {
        return say(false, "", error.text);
    }
    if (refusal) {
        cprof_notice("check: note: perf_event_open is refused (%s): CPU time is sampled on the "
                     "kernel's tick, which misjudges requests of a few milliseconds by up to 20 "
                     "per cent of the time; docs/engines.md tells how to allow it",
                     refusal);
    } else {
        cprof_notice("check: ok: perf events are allowed: CPU time is sampled without bias");
    }
    return true;
}

/* What tells where a sleeping thread sleeps. */
static void check_proc(void)
{
    char path[64], first;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/syscall", (long)syscall(SYS_gettid));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, &first, 1) == 1) {
        cprof_notice("check: ok: /proc names the system calls that threads sleep in");
    } else {
        cprof_notice("check: note: /proc does not name system calls (%s): states of sleeping "
                     "threads are known roughly",
                     strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool check_directory(const struct cprof_config *config)
{
    char text[CPROF_PATH_BYTES + 64];

    if (config->output_dir[0] == '\0') {
        return true;
    }
    (void)snprintf(text, sizeof(text), "%s can be written to", config->output_dir);
    return say(true, text, ""); /* the options were refused otherwise */
}

static bool check_upload(pid_t (*start)(struct cprof_error *error))
{
    struct cprof_error error;
    int status;
    pid_t child = start(&error);

    if (child < 0) {
        return say(false, "", error.text);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    return say(false, "", "profiles would not be uploaded");
}

bool cprof_check(const struct cprof_check_company *company, const struct cprof_config *config,
                 pid_t (*start_upload_check)(struct cprof_error *error))
{
    char python[128];
    bool good;

    cprof_notice("check: ok: uWSGI is the one this plugin was built for");
    (void)snprintf(python, sizeof(python), "CPython %s is known", company->python_version);
    good = say(company->python_trouble[0] == '\0', python, company->python_trouble);
    good &= check_engine();
    check_proc();
    good &= say(!company->is_disabled, "profiling is not disabled",
                "cloudprofiler-disable or CLOUDPROFILER_DISABLE=1 is set");
    good &= say(cprof_config_wants_profiles(config), "there is a place for profiles",
                "none of cloudprofiler-service, -output-dir, -http and -slow-request is given");
    good &= check_directory(config);
    if (config->http_address[0] != '\0') {
        cprof_notice("check: not checked: whether %s is free for the endpoint: a server that runs "
                     "may have it",
                     config->http_address);
    }
    good &= !config->upload || check_upload(start_upload_check);
    cprof_notice("check: %s",
                 good ? "profiling will work" : "profiling will NOT work as configured");
    return good;
}
