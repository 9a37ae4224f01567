/* gateway_trial.c - see gateway_trial.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway_trial.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shared/base/units.h"
#include "../../shared/segment/window.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define LOOK_MS     50

#define WORDS_BYTES 400

static pid_t spawn(const char *program, char *const *environment, int stderr_fd,
                   struct cprof_error *error)
{
    char *const arguments[] = {(char *)program, (char *)"--version", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    int trouble = posix_spawn_file_actions_init(&actions);

    if (trouble == 0) {
        (void)posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
        (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        trouble = posix_spawn(&child, program, &actions, NULL, arguments, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (trouble != 0) {
        cprof_fail(error, "%s", strerror(trouble));
        return -1;
    }
    return child;
}

/* Adds what there is to read. False at its end, and when there is enough. */
static bool take_words(int fd, char *words, size_t *used)
{
    ssize_t got = read(fd, words + *used, WORDS_BYTES - 1 - *used);

    *used += got > 0 ? (size_t)got : 0;
    words[*used] = '\0';
    return got != 0 && *used < WORDS_BYTES - 1;
}

static void clean(char *words)
{
    words[strcspn(words, "\n")] = '\0';
    for (; *words != '\0'; words++) {
        if (!isprint((unsigned char)*words)) {
            *words = '?';
        }
    }
}

/* Until the child has ended, or the time is over. True if it has, with its status and words. */
static bool watch(pid_t child, int fd, char *words, int *status)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t deadline_ns = cprof_now_ns() + PATIENCE_NS;
    size_t used = 0;
    bool ended = false;

    while (!ended && cprof_now_ns() < deadline_ns) {
        (void)poll(&poll_fd, 1, LOOK_MS);
        ended = waitpid(child, status, WNOHANG) == child;
        /* The pipe ends a moment before the child does: from then on only the time is waited for.
         */
        if (poll_fd.fd >= 0 && !take_words(fd, words, &used)) {
            poll_fd.fd = -1;
        }
    }
    return ended;
}

static bool judge(int status, char *words, struct cprof_error *error)
{
    clean(words);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    if (words[0] != '\0') {
        return cprof_fail(error, "%s", words);
    }
    if (WIFSIGNALED(status)) {
        return cprof_fail(error, "it is ended by signal %d (%s)", WTERMSIG(status),
                          strsignal(WTERMSIG(status)));
    }
    return cprof_fail(error, "it ends with status %d", WEXITSTATUS(status));
}

bool cprof_gateway_trial(const char *program, char *const *environment, struct cprof_error *error)
{
    const struct sigaction default_action = {.sa_handler = SIG_DFL};
    char words[WORDS_BYTES] = "";
    int fds[2], status = 0;
    pid_t child;
    bool ended;

    /* An app may have it ignored, and the child's status would be lost. */
    (void)sigaction(SIGCHLD, &default_action, NULL);
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return true; /* nothing is known */
    }
    child = spawn(program, environment, fds[1], error);
    close(fds[1]);
    ended = child > 0 && watch(child, fds[0], words, &status);
    if (child > 0 && !ended) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, &status, 0);
    }
    close(fds[0]);
    return child > 0 && (!ended || judge(status, words, error));
}
