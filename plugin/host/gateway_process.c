/* gateway_process.c - see gateway_process.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <uwsgi.h>

#include "gateway_process.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../../shared/base/log.h"
#include "../../shared/segment/commands.h"
#include "../../shared/segment/results.h"
#include "../../shared/segment/segment.h"
#include "../../shared/segment/window.h"
#include "commands.h"
#include "gateway_environment.h"
#include "gateway_trial.h"
#include "metrics.h"
#include "processes.h"
#include "route.h"

extern struct uwsgi_server uwsgi;

/* Which descriptors the next life of this master inherits: "7" or "7,9". Never a secret. (A name
 * that starts with UWSGI_ would be taken for an option.) */
#define INHERITED_VARIABLE "CLOUDPROFILER_INHERITED_SEGMENTS"

/* A reload leaves one segment; several quick ones leave several that nobody read yet. */
#define PREVIOUS_MAX 4

/* Between tries of a program that does not run. */
#define TRY_PAUSE_S     5u
#define TRY_PAUSE_S_MAX 600u

/* Before a start, if the one before did not come to work: 1 s, and twice as long each time. */
#define PAUSE_DOUBLINGS_MAX 8u
#define FAILURES_LOGGED     2u

#define ARGUMENT_BYTES 16
#define OWN_FDS        4 /* segment, configuration, bell, results */
#define ARGUMENTS_MAX  (1 + 2 * (OWN_FDS + PREVIOUS_MAX) + 1)

/* The gateway's processes follow each other, and none lives to tell the next one. */
struct starts {
    _Atomic uint32_t failures; /* starts in a row that did not come to work */
    _Atomic uint32_t works;    /* how many had come to work when the last one was made */
};

static struct {
    int segment_fd;
    int config_fd;
    int results_fd;
    struct cprof_bell bell;
    uint32_t switches[sizeof(struct cprof_switches) / sizeof(uint32_t)]; /* of before a reload */
    int previous_fds[PREVIOUS_MAX];
    int previous_count;
    const char *binary;
    const struct cprof_control *control;
    struct starts *starts; /* shared by all forks; NULL: each start is taken for the first */
    pid_t owner;           /* the process that it ends with; 0: uWSGI's master sees to that */
} gateway = {.segment_fd = -1, .config_fd = -1, .results_fd = -1};

static bool create_sealed_config(const struct cprof_config *config, struct cprof_error *error)
{
    int fd = memfd_create("cloudprofiler-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return cprof_fail_errno(error, errno, "configuration: memfd_create");
    }
    if (write(fd, config, sizeof(*config)) != (ssize_t)sizeof(*config) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        cprof_fail_errno(error, errno, "configuration: cannot be sealed");
        close(fd);
        return false;
    }
    gateway.config_fd = fd;
    return true;
}

/* True if the descriptor is a segment with something in it that nobody has read. */
static bool is_unread_segment(int fd)
{
    struct cprof_segment segment;
    struct cprof_error ignored;
    bool unread;

    if (!cprof_segment_open(&segment, fd, &ignored)) {
        return false;
    }
    unread = atomic_load(&cprof_segment_control(&segment)->harvested) == 0;
    cprof_segment_close(&segment);
    return unread;
}

/* What operators had set in the life before this one. The gateway checks it. */
static void remember_switches(int fd)
{
    struct cprof_segment segment;
    struct cprof_error ignored;

    if (cprof_segment_open(&segment, fd, &ignored)) {
        memcpy(gateway.switches, &cprof_segment_control(&segment)->switches,
               sizeof(gateway.switches));
        cprof_segment_close(&segment);
    }
}

static bool restore_switches(struct cprof_error *error)
{
    struct cprof_segment segment;

    if (!cprof_segment_open(&segment, gateway.segment_fd, error)) {
        return false;
    }
    memcpy((void *)&cprof_segment_control(&segment)->switches, gateway.switches,
           sizeof(gateway.switches));
    cprof_segment_close(&segment);
    return true;
}

static void adopt(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (gateway.previous_count < PREVIOUS_MAX) {
        gateway.previous_fds[gateway.previous_count++] = fd;
        uwsgi_add_safe_fd(fd);
    } else {
        cprof_log(CPROF_LOG_WARNING, "reloaded too often before a profile could be written: the "
                                     "samples of one reload are dropped");
        close(fd);
    }
}

/* The environment is the admin's, but a stale or forged value must do no harm: only a sealed
 * segment is taken, anything else is left as it is. */
void cprof_gateway_adopt_previous(void)
{
    const char *text = getenv(INHERITED_VARIABLE);
    bool is_newest = true;

    while (text && *text) {
        char *end;
        long fd = strtol(text, &end, 10);

        if (end == text) {
            break;
        }
        text = *end == ',' ? end + 1 : end;
        if (is_newest && fd > STDERR_FILENO && fd <= INT_MAX) {
            remember_switches((int)fd);
        }
        is_newest = false;
        if (fd > STDERR_FILENO && fd <= INT_MAX && is_unread_segment((int)fd)) {
            adopt((int)fd);
        }
    }
    (void)unsetenv(INHERITED_VARIABLE);
}

void cprof_gateway_drop_previous(void)
{
    while (gateway.previous_count > 0) {
        close(gateway.previous_fds[--gateway.previous_count]);
    }
}

/* More descriptors than this are left to the program itself, which closes by range. */
#define DESCRIPTORS_CLOSED_MAX 65536

/* Closes everything but the standard streams and what is to be kept, which loses its CLOEXEC. */
static void keep_only(const int *kept, int kept_count)
{
    long limit = sysconf(_SC_OPEN_MAX);
    int highest = limit < 0 || limit > DESCRIPTORS_CLOSED_MAX ? DESCRIPTORS_CLOSED_MAX : (int)limit;

    for (int i = 0; i < kept_count; i++) {
        (void)fcntl(kept[i], F_SETFD, 0);
    }
    for (int fd = STDERR_FILENO + 1; fd < highest; fd++) {
        bool is_kept = false;

        for (int i = 0; i < kept_count; i++) {
            is_kept |= kept[i] == fd;
        }
        if (!is_kept) {
            close(fd);
        }
    }
}

/* How many starts before this one did not come to work, in a row. */
static uint32_t count_failures(void)
{
    struct starts *starts = gateway.starts;
    uint32_t works;

    if (!starts) {
        return 0;
    }
    works = atomic_load(&gateway.control->gateway_starts);
    if (atomic_exchange(&starts->works, works) != works) {
        atomic_store(&starts->failures, 0);
        return 0;
    }
    return atomic_fetch_add(&starts->failures, 1) + 1;
}

/* uWSGI would start it again each second, with a line of the loader's each time. While this waits
 * it keeps what the fork shares with the master's memory, and no descriptor of it. Ended by the
 * master at any time, as the program is. */
static void wait_until_it_runs(void)
{
    char told[sizeof(((struct cprof_error *)0)->text)] = "";
    unsigned pause_s = TRY_PAUSE_S;
    struct cprof_error error;

    while (!cprof_gateway_trial(gateway.binary, cprof_gateway_environment(), &error)) {
        if (strcmp(told, error.text) != 0) {
            (void)snprintf(told, sizeof(told), "%s", error.text);
            cprof_log(CPROF_LOG_ERROR,
                      "the gateway %s does not run: %.300s; no profiles until it does. "
                      "docs/troubleshooting.md tells what it needs; it is tried again quietly",
                      gateway.binary, error.text);
        }
        (void)sleep(pause_s);
        pause_s = 2 * pause_s < TRY_PAUSE_S_MAX ? 2 * pause_s : TRY_PAUSE_S_MAX;
    }
}

/* Once in a row, and not for a single failure: it may not come again. */
static void log_failures(uint32_t failures)
{
    if (failures == FAILURES_LOGGED) {
        cprof_log(CPROF_LOG_ERROR,
                  "the gateway %s has ended %u times before it came to work; no profiles until it "
                  "does. docs/troubleshooting.md tells what it needs; it is tried again after a "
                  "pause that grows",
                  gateway.binary, failures);
    }
}

static void pause_after(uint32_t failures)
{
    log_failures(failures);
    if (failures > 0) {
        (void)sleep(
            1u << (failures - 1 < PAUSE_DOUBLINGS_MAX ? failures - 1 : PAUSE_DOUBLINGS_MAX));
        wait_until_it_runs();
    }
}

/* Before it came here uWSGI has asked for a signal at the end of its parent, which may have ended
 * before that: prctl(2), PR_SET_PDEATHSIG. */
static void end_with_owner(void)
{
    if (gateway.owner != 0 && getppid() != gateway.owner) {
        _exit(0);
    }
}

/* uWSGI's gateway function: in the forked child, never returns. */
static void become_program(int id, void *data)
{
    static char numbers[OWN_FDS + PREVIOUS_MAX][ARGUMENT_BYTES];
    static char options[OWN_FDS + 1][24] = {"--segment-fd", "--config-fd", "--bell-fd",
                                            "--results-fd", "--previous-segment-fd"};
    int kept[OWN_FDS + PREVIOUS_MAX] = {gateway.segment_fd, gateway.config_fd, gateway.bell.read_fd,
                                        gateway.results_fd};
    char *arguments[ARGUMENTS_MAX];
    int count = 0, kept_count = OWN_FDS;
    uint32_t failures = count_failures();

    (void)id, (void)data;
    end_with_owner();
    for (int i = 0; i < gateway.previous_count; i++) {
        kept[kept_count++] = gateway.previous_fds[i];
    }
    arguments[count++] = (char *)gateway.binary;
    for (int i = 0; i < kept_count; i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%d", kept[i]);
        arguments[count++] = options[i < OWN_FDS ? i : OWN_FDS];
        arguments[count++] = numbers[i];
    }
    arguments[count] = NULL;
    keep_only(kept, kept_count);
    pause_after(failures);
    (void)execve(gateway.binary, arguments, cprof_gateway_environment());
    wait_until_it_runs();
    (void)execve(gateway.binary, arguments, cprof_gateway_environment());
    _exit(1); /* it ran a moment ago; uWSGI starts another one */
}

static struct starts *share_starts(void)
{
    void *page = mmap(NULL, sizeof(struct starts), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return NULL;
    }
    atomic_store(&((struct starts *)page)->works, UINT32_MAX); /* there was no start yet */
    return page;
}

/* What operators' commands travel in, before the first fork. */
static bool open_to_commands(struct cprof_error *error)
{
    const struct cprof_results *results = cprof_results_create(&gateway.results_fd, error);
    struct cprof_commands *commands;
    const struct cprof_control *control;

    if (!results || !restore_switches(error) || !cprof_bell_create(&gateway.bell, error)) {
        return false;
    }
    commands = cprof_commands_map(gateway.segment_fd, error);
    control = commands ? cprof_control_map(gateway.segment_fd, error) : NULL;
    if (!control) {
        return false;
    }
    uwsgi_add_safe_fd(gateway.results_fd);
    uwsgi_add_safe_fd(gateway.bell.read_fd);
    uwsgi_add_safe_fd(gateway.bell.write_fd);
    cprof_host_commands_start(commands, &gateway.bell);
    cprof_route_start(commands, results);
    cprof_metrics_start(control);
    gateway.control = control;
    return true;
}

bool cprof_gateway_prepare(const struct cprof_options *options, int *segment_fd,
                           struct cprof_error *error)
{
    const struct cprof_slot_counts counts = {
        .workers = options->config.worker_count,
        .mules = options->config.mule_count,
        .spoolers = options->config.spooler_count,
        .cores = cprof_processes_request_count(),
    };

    if (!cprof_segment_create(&gateway.segment_fd, &counts, options->config.log_bytes, error) ||
        !create_sealed_config(&options->config, error) || !open_to_commands(error)) {
        return false;
    }
    uwsgi_add_safe_fd(gateway.segment_fd);
    gateway.binary = options->gateway_binary;
    gateway.starts = share_starts();
    *segment_fd = gateway.segment_fd;
    return true;
}

pid_t cprof_gateway_run_check(const struct cprof_options *options, struct cprof_error *error)
{
    char number[ARGUMENT_BYTES];
    const char *binary = options->gateway_binary;
    char *const arguments[] = {(char *)binary, (char *)"--check", (char *)"--config-fd", number,
                               NULL};
    pid_t child;

    if (!create_sealed_config(&options->config, error)) {
        return -1;
    }
    (void)snprintf(number, sizeof(number), "%d", gateway.config_fd);
    child = fork();
    if (child == 0) {
        keep_only(&gateway.config_fd, 1);
        (void)execve(binary, arguments, cprof_gateway_environment());
        cprof_log(CPROF_LOG_ERROR, "cannot run the gateway %s: %s", binary, strerror(errno));
        _exit(1);
    }
    if (child < 0) {
        cprof_fail_errno(error, errno, "cannot fork");
    }
    return child;
}

bool cprof_gateway_register(struct cprof_error *error)
{
    static char name[] = "cloudprofiler";

    gateway.owner = uwsgi.master_process ? 0 : getpid();
    if (!register_gateway(name, become_program, NULL)) {
        return cprof_fail(error, "uWSGI has no place for another gateway");
    }
    return true;
}

static void stamp_closing_time(void)
{
    struct cprof_segment segment;
    struct cprof_error ignored;

    if (cprof_segment_open(&segment, gateway.segment_fd, &ignored)) {
        atomic_store(&cprof_segment_control(&segment)->closed_ns, cprof_now_ns());
        cprof_segment_close(&segment);
    }
}

void cprof_gateway_hand_over(void)
{
    char list[(1 + PREVIOUS_MAX) * ARGUMENT_BYTES];
    int used;

    if (gateway.segment_fd < 0) {
        return;
    }
    cprof_gateway_environment_hand_over();
    stamp_closing_time();
    (void)fcntl(gateway.segment_fd, F_SETFD, 0);
    used = snprintf(list, sizeof(list), "%d", gateway.segment_fd);
    for (int i = 0; i < gateway.previous_count; i++) {
        if (is_unread_segment(gateway.previous_fds[i])) {
            (void)fcntl(gateway.previous_fds[i], F_SETFD, 0);
            used +=
                snprintf(list + used, sizeof(list) - (size_t)used, ",%d", gateway.previous_fds[i]);
        }
    }
    (void)setenv(INHERITED_VARIABLE, list, 1);
}
