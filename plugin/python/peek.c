/* peek.c - see peek.h. SIGSAFE FILE (tools/sigsafe).
 *
 * SPDX-License-Identifier: MIT
 */
#include "peek.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../ground/machine.h"

static const int fault_signals[] = {SIGSEGV, SIGBUS};
#define FAULT_SIGNALS (sizeof(fault_signals) / sizeof(fault_signals[0]))

static struct sigaction previous_actions[FAULT_SIGNALS];

#if defined(__x86_64__)

/* Each copies and returns 1; where the load faults, on_fault resumes at cprof_peek_failed. The
 * labels name the only instructions that are forgiven. */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden cprof_peek_copy_words\n"
        ".globl cprof_peek_copy_words\n"
        ".type cprof_peek_copy_words, @function\n"
        "cprof_peek_copy_words:\n"
        "    test %rdx, %rdx\n"
        "    jz 2f\n"
        "1:\n"
        ".hidden cprof_peek_load_word\n"
        ".globl cprof_peek_load_word\n"
        "cprof_peek_load_word:\n"
        "    mov (%rsi), %rax\n"
        "    mov %rax, (%rdi)\n"
        "    add $8, %rsi\n"
        "    add $8, %rdi\n"
        "    dec %rdx\n"
        "    jnz 1b\n"
        "2:\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".size cprof_peek_copy_words, . - cprof_peek_copy_words\n"
        ".p2align 4\n"
        ".hidden cprof_peek_copy_bytes\n"
        ".globl cprof_peek_copy_bytes\n"
        ".type cprof_peek_copy_bytes, @function\n"
        "cprof_peek_copy_bytes:\n"
        "    mov %rdx, %rcx\n"
        ".hidden cprof_peek_load_bytes\n"
        ".globl cprof_peek_load_bytes\n"
        "cprof_peek_load_bytes:\n"
        "    rep movsb\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".size cprof_peek_copy_bytes, . - cprof_peek_copy_bytes\n"
        ".hidden cprof_peek_failed\n"
        ".globl cprof_peek_failed\n"
        ".type cprof_peek_failed, @function\n"
        "cprof_peek_failed:\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        ".size cprof_peek_failed, . - cprof_peek_failed\n");

int cprof_peek_copy_words(void *to, const void *from, size_t words);
int cprof_peek_copy_bytes(void *to, const void *from, size_t bytes);
extern const char cprof_peek_load_word[];
extern const char cprof_peek_load_bytes[];
extern const char cprof_peek_failed[];

static bool is_forgiven(uintptr_t pc)
{
    return pc == (uintptr_t)cprof_peek_load_word || pc == (uintptr_t)cprof_peek_load_bytes;
}

static void resume_failed(ucontext_t *context)
{
    cprof_machine_set_pc(context, (uintptr_t)cprof_peek_failed);
}

#define HAVE_DIRECT_WAY true

#else /* no forgiven instructions written for this machine: the system way serves */

static int cprof_peek_copy_words(void *to, const void *from, size_t words)
{
    (void)to, (void)from, (void)words;
    return 0;
}

static int cprof_peek_copy_bytes(void *to, const void *from, size_t bytes)
{
    (void)to, (void)from, (void)bytes;
    return 0;
}

static bool is_forgiven(uintptr_t pc)
{
    (void)pc;
    return false;
}

static void resume_failed(ucontext_t *context)
{
    (void)context;
}

#define HAVE_DIRECT_WAY false

#endif

/* The action that stood before ours; SA_RESETHAND means that it stands once. */
static struct sigaction take_previous(int signal_number)
{
    struct sigaction *kept = &previous_actions[signal_number == fault_signals[0] ? 0 : 1];
    struct sigaction previous = *kept;

    if (previous.sa_flags & (int)SA_RESETHAND) {
        *kept = (struct sigaction){.sa_handler = SIG_DFL};
    }
    return previous;
}

/* Lets the default action happen. A fault comes again when the handler returns; a signal that
 * was sent must be sent again. */
static void die_of(int signal_number, bool was_sent)
{
    struct sigaction default_action = {.sa_handler = SIG_DFL};

    (void)sigaction(signal_number, &default_action, NULL);
    if (was_sent) {
        (void)raise(signal_number);
    }
}

static void unblock(int signal_number)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, signal_number);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* A fault that is not ours goes where it would have gone without us. */
static void chain(int signal_number, siginfo_t *info, void *context)
{
    struct sigaction previous = take_previous(signal_number);
    bool was_sent = info->si_code <= 0; /* kill, raise, sigqueue: sigaction(2) */

    if (previous.sa_flags & SA_NODEFER) {
        unblock(signal_number);
    }
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal_number, info, context);
    } else if (previous.sa_handler == SIG_DFL) {
        die_of(signal_number, was_sent);
    } else if (previous.sa_handler == SIG_IGN) {
        if (!was_sent) { /* the kernel does not let a fault be ignored */
            die_of(signal_number, false);
        }
    } else {
        previous.sa_handler(signal_number);
    }
}

CPROF_ALIGNS_STACK static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    if (is_forgiven(cprof_machine_pc(context))) {
        resume_failed(context);
        return;
    }
    chain(signal_number, info, context);
}

void cprof_peek_install(void)
{
    for (size_t i = 0; i < FAULT_SIGNALS; i++) {
        /* SA_ONSTACK: a previous owner that reports stack overflows on an alternate stack
         * (faulthandler) goes on doing so. */
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        struct sigaction standing;

        if (sigaction(fault_signals[i], NULL, &standing) != 0 ||
            ((standing.sa_flags & SA_SIGINFO) && standing.sa_sigaction == on_fault)) {
            continue;
        }
        previous_actions[i] = standing;
        action.sa_mask = standing.sa_mask; /* it shall run as it would without us */
        (void)sigaction(fault_signals[i], &action, NULL);
    }
}

/* SIGSEGV alone is asked for: what is read here is never a file mapping, and whoever takes one
 * of the two signals takes both. */
enum cprof_peek_way cprof_peek_choose(const sigset_t *blocked)
{
    struct sigaction standing;

    if (!HAVE_DIRECT_WAY || sigismember(blocked, SIGSEGV) ||
        sigaction(SIGSEGV, NULL, &standing) != 0 || !(standing.sa_flags & SA_SIGINFO) ||
        standing.sa_sigaction != on_fault) {
        return CPROF_PEEK_SYSTEM;
    }
    return CPROF_PEEK_DIRECT;
}

enum cprof_peek_way cprof_peek_choose_lasting(const sigset_t *blocked)
{
    uint64_t word = 0, copy;

    return cprof_peek_words(CPROF_PEEK_SYSTEM, &copy, (uintptr_t)&word, 1)
               ? CPROF_PEEK_SYSTEM
               : cprof_peek_choose(blocked);
}

bool cprof_peek_bytes(enum cprof_peek_way way, void *to, uintptr_t from, size_t bytes)
{
    struct iovec local = {.iov_base = to, .iov_len = bytes};
    struct iovec remote = {.iov_len = bytes};

    if (way == CPROF_PEEK_DIRECT) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is all that there is. */
        return cprof_peek_copy_bytes(to, (const void *)from, bytes) != 0;
    }
    remote.iov_base = (void *)from; /* NOLINT(performance-no-int-to-ptr) */
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

bool cprof_peek_words(enum cprof_peek_way way, uint64_t *to, uintptr_t from, size_t words)
{
    if (way == CPROF_PEEK_DIRECT) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is all that there is. */
        return cprof_peek_copy_words(to, (const void *)from, words) != 0;
    }
    return cprof_peek_bytes(way, to, from, words * sizeof(uint64_t));
}

bool cprof_peek_two_words(enum cprof_peek_way way, uint64_t to[2], uintptr_t first,
                          uintptr_t second)
{
    const size_t bytes = sizeof(uint64_t);
    struct iovec local = {.iov_base = to, .iov_len = 2 * bytes};
    struct iovec remote[2] = {{.iov_len = bytes}, {.iov_len = bytes}};

    if (way == CPROF_PEEK_DIRECT) {
        return cprof_peek_words(way, &to[0], first, 1) && cprof_peek_words(way, &to[1], second, 1);
    }
    remote[0].iov_base = (void *)first;  /* NOLINT(performance-no-int-to-ptr) */
    remote[1].iov_base = (void *)second; /* NOLINT(performance-no-int-to-ptr) */
    return process_vm_readv(getpid(), &local, 1, remote, 2, 0) == (ssize_t)(2 * bytes);
}

uint64_t cprof_peek_word(enum cprof_peek_way way, uintptr_t from, uint64_t otherwise)
{
    uint64_t word;

    return cprof_peek_words(way, &word, from, 1) ? word : otherwise;
}
