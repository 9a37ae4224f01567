/* child.c - see child.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "child.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

#define SECONDS_MAX 20u

int child_run(void (*body)(void *data), void *data)
{
    static const struct rlimit no_core = {0, 0};
    pid_t child = fork();
    int status;

    EXPECT(child >= 0);
    if (child == 0) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};

        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)sigaction(SIGSEGV, &by_default, NULL);
        (void)sigaction(SIGBUS, &by_default, NULL);
        (void)alarm(SECONDS_MAX);
        body(data);
        _exit(CHILD_RETURNED);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
