/* test_aside.c - see plugin/ground/aside.h. Filters cannot be taken off again: each test that puts
 * one on does so in a process of its own.
 *
 * sources: plugin/ground/aside.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/ground/aside.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

/* Any call that nobody else makes here. */
#define ASKED_FOR SYS_getpriority

static int times_asked;
static volatile sig_atomic_t children_ended;

static int ask(void)
{
    times_asked++;
    errno = 0;
    return syscall(ASKED_FOR, 0, 0) < 0 ? errno : 0;
}

static int never_answer(void)
{
    (void)pause(); /* all signals are blocked */
    return 0;
}

static void note_child(int number)
{
    (void)number;
    children_ended = 1;
}

/* What the kernel does with ASKED_FOR from now on. */
static void answer_by(uint32_t action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ASKED_FOR, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void in_own_process(void (*test)(void))
{
    int status;
    pid_t child = fork();

    EXPECT(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void without_a_filter_the_caller_asks_itself(void)
{
    EXPECT(!cprof_has_seccomp_filter());
    EXPECT(cprof_ask_aside(ask) == 0);
    EXPECT(times_asked == 1);
}

static uint32_t death;

static void death_is_an_answer_and_nobody_hears_of_it(void)
{
    EXPECT(signal(SIGCHLD, note_child) != SIG_ERR);
    answer_by(death);
    EXPECT(cprof_has_seccomp_filter());
    EXPECT(cprof_ask_aside(ask) == CPROF_ASIDE_DEADLY);
    EXPECT(times_asked == 1); /* by the first test, here never */
    EXPECT(!children_ended);
    EXPECT(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
}

static void each_kind_of_death_is_an_answer(void)
{
    static const uint32_t deaths[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
                                      SECCOMP_RET_TRAP};

    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        death = deaths[i];
        in_own_process(death_is_an_answer_and_nobody_hears_of_it);
    }
}

static void a_refusal_comes_back_as_it_is(void)
{
    answer_by(SECCOMP_RET_ERRNO | ENODEV);
    EXPECT(cprof_ask_aside(ask) == ENODEV);
}

static void a_filter_that_lets_the_call_through_is_a_yes(void)
{
    answer_by(SECCOMP_RET_ALLOW);
    EXPECT(cprof_ask_aside(ask) == 0);
    EXPECT(times_asked == 1);
}

static void an_ignored_sigchld_takes_no_answer_away(void)
{
    EXPECT(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    answer_by(SECCOMP_RET_KILL_PROCESS);
    EXPECT(cprof_ask_aside(ask) == CPROF_ASIDE_DEADLY);
}

static void signals_are_blocked_as_before(void)
{
    sigset_t before, after;

    answer_by(SECCOMP_RET_ALLOW);
    EXPECT(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    EXPECT(cprof_ask_aside(ask) == 0);
    EXPECT(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    for (int number = 1; number < NSIG; number++) {
        EXPECT(sigismember(&before, number) == sigismember(&after, number));
    }
}

static void a_question_without_an_answer_is_given_up(void)
{
    answer_by(SECCOMP_RET_ALLOW);
    EXPECT(cprof_ask_aside(never_answer) == CPROF_ASIDE_UNKNOWN);
    EXPECT(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
}

static void (*const behind_a_filter[])(void) = {
    a_refusal_comes_back_as_it_is,
    a_filter_that_lets_the_call_through_is_a_yes,
    an_ignored_sigchld_takes_no_answer_away,
    signals_are_blocked_as_before,
    a_question_without_an_answer_is_given_up,
};

int main(void)
{
    RUN(without_a_filter_the_caller_asks_itself);
    RUN(each_kind_of_death_is_an_answer);
    for (size_t i = 0; i < sizeof(behind_a_filter) / sizeof(behind_a_filter[0]); i++) {
        in_own_process(behind_a_filter[i]);
    }
    return 0;
}
