/* main.c - the gateway program: one per uWSGI instance; takes profiles from shared memory to
 * where they are wanted. uWSGI's gateway process executes it; people use it to read profiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../shared/base/log.h"
#include "check.h"
#include "conductor.h"
#include "config_reader.h"
#include "credentials/secret.h"
#include "loop/log_writer.h"
#include "report.h"
#include "top.h"

#define TOP_COUNT_DEFAULT 15
#define TOP_COUNT_MAX     10000

enum option_code {
    OPTION_SEGMENT = 256,
    OPTION_CONFIG,
    OPTION_PREVIOUS,
    OPTION_BELL,
    OPTION_RESULTS,
    OPTION_CHECK,
    OPTION_TOP,
    OPTION_TOP_COUNT,
    OPTION_HTML,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"segment-fd", required_argument, NULL, OPTION_SEGMENT},
    {"config-fd", required_argument, NULL, OPTION_CONFIG},
    {"previous-segment-fd", required_argument, NULL, OPTION_PREVIOUS},
    {"bell-fd", required_argument, NULL, OPTION_BELL},
    {"results-fd", required_argument, NULL, OPTION_RESULTS},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"top", no_argument, NULL, OPTION_TOP},
    {"top-count", required_argument, NULL, OPTION_TOP_COUNT},
    {"html", no_argument, NULL, OPTION_HTML},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "usage: cloudprofiler-gateway --top [--top-count N] FILE...\n"
    "           prints what profiles say, merged: the N functions with most time of their own\n"
    "           (15), and the split by worker and thread. All files are of one kind: CPU time\n"
    "           (cpu-*.pb.gz) or wall time (wall-*.pb.gz), which is split by state, too\n"
    "       cloudprofiler-gateway --html FILE... > report.html\n"
    "           writes one page that shows the profiles as flame graphs, without server or "
    "network\n"
    "       cloudprofiler-gateway --segment-fd N --config-fd N [--bell-fd N] [--results-fd N]\n"
    "                             [--previous-segment-fd N]...\n"
    "           how uWSGI starts it: descriptors of shared memory, configuration and commands\n"
    "       cloudprofiler-gateway --check --config-fd N\n"
    "           says what of an upload would work; uwsgi --cloudprofiler-check runs it\n"
    "       cloudprofiler-gateway --version | --help\n";

struct arguments {
    int segment_fd, config_fd, bell_fd, results_fd;
    int previous_fds[CPROF_PREVIOUS_SEGMENTS_MAX];
    size_t previous_count;
    bool top, html, check;
    uint32_t top_count;
};

static bool parse_number(long *number, const char *text, long lowest, long highest)
{
    char *end;

    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= lowest && *number <= highest;
}

static bool parse_fd(int *fd, const char *name, const char *text, struct cprof_error *error)
{
    long number;

    if (!parse_number(&number, text, STDERR_FILENO + 1, INT_MAX) ||
        fcntl((int)number, F_GETFD) < 0) {
        return cprof_fail(error, "--%s %s: not an open descriptor above 2", name, text);
    }
    *fd = (int)number;
    return true;
}

static bool take_option(struct arguments *arguments, int option, struct cprof_error *error)
{
    long number;

    switch (option) {
    case OPTION_SEGMENT:
        return parse_fd(&arguments->segment_fd, "segment-fd", optarg, error);
    case OPTION_CONFIG:
        return parse_fd(&arguments->config_fd, "config-fd", optarg, error);
    case OPTION_BELL:
        return parse_fd(&arguments->bell_fd, "bell-fd", optarg, error);
    case OPTION_RESULTS:
        return parse_fd(&arguments->results_fd, "results-fd", optarg, error);
    case OPTION_PREVIOUS:
        if (arguments->previous_count == CPROF_PREVIOUS_SEGMENTS_MAX) {
            return cprof_fail(error, "--previous-segment-fd: at most %d",
                              CPROF_PREVIOUS_SEGMENTS_MAX);
        }
        return parse_fd(&arguments->previous_fds[arguments->previous_count++],
                        "previous-segment-fd", optarg, error);
    case OPTION_CHECK:
        arguments->check = true;
        return true;
    case OPTION_TOP:
        arguments->top = true;
        return true;
    case OPTION_HTML:
        arguments->html = true;
        return true;
    default:
        if (!parse_number(&number, optarg, 1, TOP_COUNT_MAX)) {
            return cprof_fail(error, "--top-count %s: not a number from 1 to %d", optarg,
                              TOP_COUNT_MAX);
        }
        arguments->top_count = (uint32_t)number;
        return true;
    }
}

static int compare_fds(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

/* Closes what the server's process had open: sockets, files of the app. */
static void close_other_fds(const struct arguments *arguments)
{
    int kept[CPROF_PREVIOUS_SEGMENTS_MAX + 4];
    size_t count = 0;
    unsigned first = STDERR_FILENO + 1;

    kept[count++] = arguments->segment_fd;
    kept[count++] = arguments->config_fd;
    kept[count++] = arguments->bell_fd;
    kept[count++] = arguments->results_fd;
    for (size_t i = 0; i < arguments->previous_count; i++) {
        kept[count++] = arguments->previous_fds[i];
    }
    qsort(kept, count, sizeof(*kept), compare_fds);
    for (size_t i = 0; i < count; i++) {
        if (kept[i] > (int)first) {
            (void)close_range(first, (unsigned)kept[i] - 1, 0);
        }
        first = kept[i] < (int)first ? first : (unsigned)kept[i] + 1; /* -1: none was given */
    }
    (void)close_range(first, UINT_MAX, 0);
}

/* No core file and no tracing by others of the same user: later this process holds credentials. */
static void protect_memory(void)
{
    struct rlimit none = {0};

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static bool serve(const struct arguments *arguments, struct cprof_error *error)
{
    static struct cprof_config config;
    const struct cprof_conductor_fds fds = {
        .bell = arguments->bell_fd,
        .results = arguments->results_fd,
        .previous = arguments->previous_fds,
        .previous_count = arguments->previous_count,
    };
    struct cprof_segment segment;
    bool ok;

    close_other_fds(arguments);
    if (!cprof_config_read(&config, arguments->config_fd, error)) {
        return false;
    }
    close(arguments->config_fd);
    cprof_log_setup(cprof_log_writer_write, (enum cprof_log_level)config.verbose);
    if (!cprof_segment_open(&segment, arguments->segment_fd, error)) {
        return false;
    }
    ok = cprof_conductor_run(&config, &segment, &fds, error);
    cprof_segment_close(&segment);
    return ok;
}

static int check(const struct arguments *arguments)
{
    static struct cprof_config config;
    struct cprof_error error;

    close_other_fds(arguments);
    if (!cprof_config_read(&config, arguments->config_fd, &error)) {
        cprof_log(CPROF_LOG_ERROR, "%s", error.text);
        return EXIT_FAILURE;
    }
    return cprof_check_upload(&config) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Signals may be blocked by now. */
static void wait_for_the_end(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    while (sigwaitinfo(&set, NULL) < 0) {
        continue; /* stopped and continued */
    }
}

/* uWSGI starts a gateway anew that has ended, and the plugin pauses before that, the longer the
 * more often it came to nothing. One that can never work says so once and stays. */
static int give_up(const struct cprof_error *error)
{
    if (error->lasting) {
        cprof_log(CPROF_LOG_ERROR, "the gateway cannot work: %s; no profiles are written",
                  error->text);
        wait_for_the_end();
        return EXIT_SUCCESS;
    }
    cprof_log(CPROF_LOG_ERROR,
              "the gateway cannot begin: %s; it is tried again after a pause that grows",
              error->text);
    return EXIT_FAILURE;
}

/* What people ask of files. */
static int show_files(const struct arguments *arguments, char *const *paths, int path_count)
{
    struct cprof_error error;
    bool ok = arguments->html ? cprof_report_write(stdout, paths, path_count, &error)
                              : cprof_top(stdout, paths, path_count, arguments->top_count, &error);

    if (!ok) {
        cprof_log(CPROF_LOG_ERROR, "%s", error.text);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct arguments *arguments, int argc, char **argv)
{
    bool shows_files = arguments->top != arguments->html;
    struct cprof_error error;

    if (shows_files && optind < argc) {
        return show_files(arguments, argv + optind, argc - optind);
    }
    if (arguments->check && arguments->config_fd >= 0 && optind == argc) {
        return check(arguments);
    }
    if (arguments->top || arguments->html || arguments->segment_fd < 0 ||
        arguments->config_fd < 0 || optind < argc) {
        (void)fputs(help_text, stderr);
        return EXIT_FAILURE;
    }
    return serve(arguments, &error) ? EXIT_SUCCESS : give_up(&error);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.segment_fd = -1,
                                  .config_fd = -1,
                                  .bell_fd = -1,
                                  .results_fd = -1,
                                  .top_count = TOP_COUNT_DEFAULT};
    struct cprof_error error;
    int option;

    protect_memory();
    cprof_secret_guard_libraries();
    cprof_log_setup(cprof_log_writer_write, CPROF_LOG_ERROR);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            (void)fputs(help_text, stdout);
            return EXIT_SUCCESS;
        }
        if (option == OPTION_VERSION) {
            (void)printf("cloudprofiler-gateway %s\n", CPROF_VERSION);
            return EXIT_SUCCESS;
        }
        if (option == '?') {
            return EXIT_FAILURE; /* getopt_long has said why */
        }
        if (!take_option(&arguments, option, &error)) {
            cprof_log(CPROF_LOG_ERROR, "%s", error.text);
            return EXIT_FAILURE;
        }
    }
    return run(&arguments, argc, argv);
}
