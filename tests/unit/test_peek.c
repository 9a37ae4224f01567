/* test_peek.c - see plugin/python/peek.h.
 *
 * sources: plugin/python/peek.c tests/unit/child.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../plugin/python/peek.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "expect.h"

#define PREVIOUS_CALLED 41

static const enum cprof_peek_way ways[] = {CPROF_PEEK_SYSTEM, CPROF_PEEK_DIRECT};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static size_t page_bytes;

/* One readable page, filled with `fill`, before one that is not mapped. Returns its end. */
static uint8_t *page_before_nothing(int fill)
{
    uint8_t *pages =
        mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(pages != MAP_FAILED);
    memset(pages, fill, page_bytes);
    EXPECT(munmap(pages + page_bytes, page_bytes) == 0);
    return pages + page_bytes;
}

static void give_back(uint8_t *end)
{
    EXPECT(munmap(end - page_bytes, page_bytes) == 0);
}

static bool word_is_readable(enum cprof_peek_way way, uintptr_t address)
{
    uint64_t word;
    uint8_t byte;
    bool readable = cprof_peek_words(way, &word, address, 1);

    EXPECT(cprof_peek_bytes(way, &byte, address, 1) == readable);
    return readable;
}

static void good_memory_is_copied(void)
{
    uint64_t from[100], to[100];

    for (uint64_t i = 0; i < 100; i++) {
        from[i] = i * UINT64_C(0x0123456789abcdef);
    }
    for (size_t i = 0; i < WAYS; i++) {
        memset(to, 0, sizeof(to));
        EXPECT(cprof_peek_words(ways[i], to, (uintptr_t)from, 99));
        EXPECT(memcmp(from, to, 99 * 8) == 0 && to[99] == 0);
        memset(to, 0, sizeof(to));
        EXPECT(cprof_peek_bytes(ways[i], to, (uintptr_t)from + 3, 700));
        EXPECT(memcmp((char *)from + 3, to, 700) == 0 && ((char *)to)[700] == 0);
    }
}

static void nothing_is_copied_of_nothing(void)
{
    uint64_t word = 5;

    for (size_t i = 0; i < WAYS; i++) {
        EXPECT(cprof_peek_words(ways[i], &word, (uintptr_t)&word, 0));
        EXPECT(cprof_peek_bytes(ways[i], &word, (uintptr_t)&word, 0));
        EXPECT(word == 5);
    }
}

static void one_word_is_read_or_the_other_value_given(void)
{
    uint64_t word = 77;

    for (size_t i = 0; i < WAYS; i++) {
        EXPECT(cprof_peek_word(ways[i], (uintptr_t)&word, 5) == 77);
        EXPECT(cprof_peek_word(ways[i], 8, 5) == 5);
    }
}

static void addresses_that_nobody_has_are_refused(void)
{
    static const uintptr_t bad[] = {
        0,
        8,
        4096,
        UINT64_C(0x00007ffffffff000), /* the last page of user space: never mapped */
        UINT64_C(0x0000800000000000), /* not canonical */
        UINT64_C(0xdeadbeefdeadbeef),
        UINT64_C(0xffff800000000000), /* the kernel's */
        UINTPTR_MAX - 7,
        UINTPTR_MAX - 3, /* its end wraps round */
        UINTPTR_MAX,
    };

    for (size_t i = 0; i < WAYS; i++) {
        for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            EXPECT(!word_is_readable(ways[i], bad[j]));
        }
    }
}

static void a_page_without_read_permission_is_refused(void)
{
    void *page = mmap(NULL, page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(page != MAP_FAILED);
    for (size_t i = 0; i < WAYS; i++) {
        EXPECT(!word_is_readable(ways[i], (uintptr_t)page));
    }
    EXPECT(munmap(page, page_bytes) == 0);
}

static void a_page_beyond_the_end_of_its_file_is_refused(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    void *page;

    EXPECT(fd >= 0 && ftruncate(fd, (off_t)page_bytes) == 0);
    page = mmap(NULL, page_bytes, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(page != MAP_FAILED && ftruncate(fd, 0) == 0);
    for (size_t i = 0; i < WAYS; i++) {
        EXPECT(!word_is_readable(ways[i], (uintptr_t)page)); /* SIGBUS, not SIGSEGV */
    }
    EXPECT(munmap(page, page_bytes) == 0);
    close(fd);
}

static void a_copy_may_end_at_a_border_but_not_cross_it(void)
{
    uint8_t *end = page_before_nothing(0x33);
    uint64_t words[8];
    char bytes[64];

    for (size_t i = 0; i < WAYS; i++) {
        EXPECT(cprof_peek_words(ways[i], words, (uintptr_t)end - sizeof(words), 8));
        EXPECT(words[0] == UINT64_C(0x3333333333333333) && words[7] == words[0]);
        EXPECT(!cprof_peek_words(ways[i], words, (uintptr_t)end - sizeof(words) + 1, 8));
        EXPECT(!cprof_peek_words(ways[i], words, (uintptr_t)end - 8, 2));
        EXPECT(!cprof_peek_words(ways[i], words, (uintptr_t)end - 4, 1));
        EXPECT(cprof_peek_bytes(ways[i], bytes, (uintptr_t)end - 64, 64));
        EXPECT(bytes[0] == 0x33 && bytes[63] == 0x33);
        EXPECT(!cprof_peek_bytes(ways[i], bytes, (uintptr_t)end - 63, 64));
        EXPECT(!cprof_peek_bytes(ways[i], bytes, (uintptr_t)end, 1));
    }
    give_back(end);
}

static void a_failed_read_can_be_repeated_for_ever(void)
{
    uint8_t *end = page_before_nothing(1);

    for (uint32_t i = 0; i < 20000; i++) {
        EXPECT(cprof_peek_word(CPROF_PEEK_DIRECT, (uintptr_t)end, 9) == 9);
        EXPECT(cprof_peek_word(CPROF_PEEK_DIRECT, (uintptr_t)end - 8, 9) != 9);
    }
    give_back(end);
}

static enum cprof_peek_way chosen_now(void)
{
    sigset_t blocked;

    EXPECT(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
    return cprof_peek_choose(&blocked);
}

static void the_direct_way_is_chosen_where_it_is_safe(void)
{
    EXPECT(chosen_now() == CPROF_PEEK_DIRECT);
}

static void the_system_way_is_chosen_where_sigsegv_is_blocked(void)
{
    sigset_t blocked;

    EXPECT(sigemptyset(&blocked) == 0 && cprof_peek_choose(&blocked) == CPROF_PEEK_DIRECT);
    EXPECT(sigaddset(&blocked, SIGSEGV) == 0);
    EXPECT(cprof_peek_choose(&blocked) == CPROF_PEEK_SYSTEM);
}

static void other_blocked_signals_do_not_matter(void)
{
    sigset_t blocked;

    EXPECT(sigfillset(&blocked) == 0);
    EXPECT(sigdelset(&blocked, SIGSEGV) == 0);
    EXPECT(cprof_peek_choose(&blocked) == CPROF_PEEK_DIRECT);
}

static void end_as_previous(int signal_number)
{
    (void)signal_number;
    _exit(PREVIOUS_CALLED);
}

static void end_as_previous_with_info(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    _exit(info->si_signo == signal_number && info->si_addr == (void *)8 ? PREVIOUS_CALLED : 1);
}

static void the_system_way_is_chosen_where_the_handler_was_taken_over(void)
{
    struct sigaction plain = {.sa_handler = end_as_previous};
    struct sigaction with_info = {.sa_sigaction = end_as_previous_with_info,
                                  .sa_flags = SA_SIGINFO};
    struct sigaction ours;

    EXPECT(sigaction(SIGSEGV, &plain, &ours) == 0);
    EXPECT(chosen_now() == CPROF_PEEK_SYSTEM);
    EXPECT(sigaction(SIGSEGV, &with_info, NULL) == 0);
    EXPECT(chosen_now() == CPROF_PEEK_SYSTEM);
    EXPECT(sigaction(SIGSEGV, &ours, NULL) == 0);
    EXPECT(chosen_now() == CPROF_PEEK_DIRECT);
}

static void read_badly(void *data)
{
    (void)data;
    if (chosen_now() != CPROF_PEEK_DIRECT || word_is_readable(CPROF_PEEK_DIRECT, 8) ||
        word_is_readable(CPROF_PEEK_SYSTEM, 8)) {
        _exit(1);
    }
}

static void install_and_read_badly(void *data)
{
    cprof_peek_install();
    read_badly(data);
}

static void bad_reads_are_survived_in_a_child(void)
{
    EXPECT(child_run(install_and_read_badly, NULL) == CHILD_RETURNED);
}

static void run_grandchild(void *data)
{
    pid_t child;

    cprof_peek_install();
    child = fork();
    if (child == 0) {
        read_badly(data);
        _exit(0);
    }
    while (waitpid(child, (int *)data, 0) != child) {
    }
    _exit(*(int *)data == 0 ? CHILD_RETURNED : 1);
}

static void the_handlers_go_on_working_after_a_fork(void)
{
    int status;

    EXPECT(child_run(run_grandchild, &status) == CHILD_RETURNED);
}

static void crash(void)
{
    volatile uintptr_t address = 8;

    *(volatile int *)address = 1;
}

static void install_and_crash(void *data)
{
    cprof_peek_install();
    if (data) {
        cprof_peek_install(); /* must not become its own predecessor */
    }
    read_badly(NULL);
    crash();
}

static void a_real_crash_still_ends_the_process_with_sigsegv(void)
{
    int twice;

    EXPECT(child_run(install_and_crash, NULL) == 128 + SIGSEGV);
    EXPECT(child_run(install_and_crash, &twice) == 128 + SIGSEGV);
}

static void crash_below_another_handler(void *data)
{
    EXPECT(sigaction(SIGSEGV, data, NULL) == 0);
    install_and_crash(NULL);
}

static void a_real_crash_reaches_the_handler_that_stood_before(void)
{
    struct sigaction plain = {.sa_handler = end_as_previous};
    struct sigaction with_info = {.sa_sigaction = end_as_previous_with_info,
                                  .sa_flags = SA_SIGINFO};
    struct sigaction ignored = {.sa_handler = SIG_IGN};

    EXPECT(child_run(crash_below_another_handler, &plain) == PREVIOUS_CALLED);
    EXPECT(child_run(crash_below_another_handler, &with_info) == PREVIOUS_CALLED);
    /* The kernel does not let a fault be ignored. */
    EXPECT(child_run(crash_below_another_handler, &ignored) == 128 + SIGSEGV);
}

struct sending {
    int signal_number;
    void (*previous)(int); /* what stood before ours */
    unsigned times;
};

static void install_and_send(void *data)
{
    const struct sending *sending = data;
    struct sigaction previous = {.sa_handler = sending->previous};

    EXPECT(sigaction(sending->signal_number, &previous, NULL) == 0);
    cprof_peek_install();
    for (unsigned i = 0; i < sending->times; i++) {
        EXPECT(kill(getpid(), sending->signal_number) == 0);
    }
}

static void a_fault_signal_that_is_sent_does_what_it_did_before(void)
{
    static const int fault_signals[] = {SIGSEGV, SIGBUS};

    for (size_t i = 0; i < 2; i++) {
        struct sending sending = {
            .signal_number = fault_signals[i], .previous = SIG_DFL, .times = 1};

        EXPECT(child_run(install_and_send, &sending) == 128 + fault_signals[i]);
        sending.previous = SIG_IGN;
        sending.times = 2;
        EXPECT(child_run(install_and_send, &sending) == CHILD_RETURNED);
        sending.previous = end_as_previous;
        EXPECT(child_run(install_and_send, &sending) == PREVIOUS_CALLED);
    }
}

/* As faulthandler does when the app enables it: what is not its own is a crash. */
static void read_after_a_takeover(void *unused)
{
    struct sigaction taker = {.sa_handler = end_as_previous};
    sigset_t none;
    enum cprof_peek_way way;

    (void)unused;
    (void)sigemptyset(&none);
    way = cprof_peek_choose_lasting(&none);
    EXPECT(sigaction(SIGSEGV, &taker, NULL) == 0);
    EXPECT(cprof_peek_word(way, 8, 77) == 77);
}

static void a_lasting_choice_outlives_a_takeover(void)
{
    EXPECT(child_run(read_after_a_takeover, NULL) == CHILD_RETURNED);
}

static volatile sig_atomic_t calls;

static void count_call(int signal_number)
{
    (void)signal_number;
    if (++calls > 1) {
        _exit(1);
    }
}

static void a_previous_handler_for_one_call_is_called_once(void)
{
    struct sigaction once = {.sa_handler = count_call, .sa_flags = (int)SA_RESETHAND};

    EXPECT(child_run(crash_below_another_handler, &once) == 128 + SIGSEGV);
}

int main(void)
{
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    cprof_peek_install();
    RUN(good_memory_is_copied);
    RUN(nothing_is_copied_of_nothing);
    RUN(one_word_is_read_or_the_other_value_given);
    RUN(addresses_that_nobody_has_are_refused);
    RUN(a_page_without_read_permission_is_refused);
    RUN(a_page_beyond_the_end_of_its_file_is_refused);
    RUN(a_copy_may_end_at_a_border_but_not_cross_it);
    RUN(a_failed_read_can_be_repeated_for_ever);
    RUN(the_direct_way_is_chosen_where_it_is_safe);
    RUN(the_system_way_is_chosen_where_sigsegv_is_blocked);
    RUN(other_blocked_signals_do_not_matter);
    RUN(the_system_way_is_chosen_where_the_handler_was_taken_over);
    RUN(a_lasting_choice_outlives_a_takeover);
    RUN(bad_reads_are_survived_in_a_child);
    RUN(the_handlers_go_on_working_after_a_fork);
    RUN(a_real_crash_still_ends_the_process_with_sigsegv);
    RUN(a_real_crash_reaches_the_handler_that_stood_before);
    RUN(a_fault_signal_that_is_sent_does_what_it_did_before);
    RUN(a_previous_handler_for_one_call_is_called_once);
    return 0;
}
