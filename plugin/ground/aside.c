/* aside.c - see aside.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A supervisor of the filter (seccomp_unotify(2)) that never answers must not hold up the start. */
#define PATIENCE_MS 5000

#define STACK_BYTES 32768

struct asked {
    int (*question)(void);
    int answer_fd;
};

bool cprof_has_seccomp_filter(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0;
}

static int answer_in_child(void *data)
{
    const struct asked *asked = data;
    int answer;

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    answer = asked->question();
    return write(asked->answer_fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1;
}

/* The end of the pipe without an answer is the child's death. */
static int read_answer(int fd)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    int answer, ready;
    ssize_t count;

    do {
        ready = poll(&waited, 1, PATIENCE_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        return CPROF_ASIDE_UNKNOWN;
    }
    do {
        count = read(fd, &answer, sizeof(answer));
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
        return CPROF_ASIDE_DEADLY;
    }
    return count == (ssize_t)sizeof(answer) ? answer : CPROF_ASIDE_UNKNOWN;
}

/* clone(2) and not fork(): without an exit signal, the child is nobody's business but ours, and no
 * handler of the app's runs in it. It starts and stays with all signals blocked. */
static pid_t start_child(struct asked *asked)
{
    static char stack[STACK_BYTES] __attribute__((aligned(16)));
    sigset_t all, before;
    pid_t child;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    child = clone(answer_in_child, stack + sizeof(stack), 0, asked);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child;
}

static void bury(pid_t child)
{
    (void)kill(child, SIGKILL); /* it has answered, died, or never will */
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
        continue;
    }
}

int cprof_ask_aside(int (*question)(void))
{
    struct asked asked = {.question = question};
    int ends[2], answer = CPROF_ASIDE_UNKNOWN;
    pid_t child;

    if (!cprof_has_seccomp_filter()) {
        return question();
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return CPROF_ASIDE_UNKNOWN;
    }
    asked.answer_fd = ends[1];
    child = start_child(&asked);
    (void)close(ends[1]);
    if (child > 0) {
        answer = read_answer(ends[0]);
        bury(child);
    }
    (void)close(ends[0]);
    return answer;
}
