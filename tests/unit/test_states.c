/* test_states.c - see shared/segment/states.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../shared/segment/states.h"

#include <string.h>
#include <sys/syscall.h>

#include "expect.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool is_named(uint32_t state, const char *wanted)
{
    char name[CPROF_STATE_NAME_BYTES];

    return cprof_state_name(state, name) == name && strcmp(name, wanted) == 0;
}

static void each_state_has_its_word(void)
{
    static const char *const words[CPROF_STATE_COUNT] = {
        "running", "asleep", "recv", "send", "poll",       "accept",   "connect", "futex",
        "gil",     "sleep",  "file", "wait", "page fault", "greenlet", "socket",
    };

    for (uint32_t state = 0; state < CPROF_STATE_COUNT; state++) {
        EXPECT(is_named(state, words[state]));
    }
}

static void system_calls_are_told_by_what_they_wait_for(void)
{
    static const struct {
        long number;
        uint32_t state;
    } calls[] = {
        {SYS_recvfrom, CPROF_STATE_RECV},   {SYS_recvmsg, CPROF_STATE_RECV},
        {SYS_sendto, CPROF_STATE_SEND},     {SYS_sendmsg, CPROF_STATE_SEND},
        {SYS_sendfile, CPROF_STATE_SEND},   {SYS_ppoll, CPROF_STATE_POLL},
        {SYS_pselect6, CPROF_STATE_POLL},   {SYS_epoll_pwait, CPROF_STATE_POLL},
        {SYS_accept, CPROF_STATE_ACCEPT},   {SYS_accept4, CPROF_STATE_ACCEPT},
        {SYS_connect, CPROF_STATE_CONNECT}, {SYS_futex, CPROF_STATE_FUTEX},
        {SYS_nanosleep, CPROF_STATE_SLEEP}, {SYS_clock_nanosleep, CPROF_STATE_SLEEP},
        {SYS_wait4, CPROF_STATE_WAIT},      {SYS_waitid, CPROF_STATE_WAIT},
        {SYS_fsync, CPROF_STATE_FILE},      {SYS_openat, CPROF_STATE_FILE},
        {SYS_pread64, CPROF_STATE_FILE},    {SYS_getdents64, CPROF_STATE_FILE},
#ifdef SYS_poll
        {SYS_poll, CPROF_STATE_POLL},       {SYS_select, CPROF_STATE_POLL},
        {SYS_epoll_wait, CPROF_STATE_POLL}, {SYS_open, CPROF_STATE_FILE},
#endif
    };

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        EXPECT(!cprof_state_needs_descriptor(calls[i].number));
        for (int descriptor = CPROF_DESCRIPTOR_UNKNOWN; descriptor <= CPROF_DESCRIPTOR_OTHER;
             descriptor++) {
            EXPECT(cprof_state_of_system_call(
                       calls[i].number, (enum cprof_descriptor_kind)descriptor) == calls[i].state);
        }
    }
}

static void reads_and_writes_depend_on_what_they_read_and_write(void)
{
    static const struct {
        long number;
        uint32_t of_socket;
        const char *name;
    } transfers[] = {
        {SYS_read, CPROF_STATE_RECV, "read"},
        {SYS_readv, CPROF_STATE_RECV, "readv"},
        {SYS_write, CPROF_STATE_SEND, "write"},
        {SYS_writev, CPROF_STATE_SEND, "writev"},
    };

    for (size_t i = 0; i < COUNT_OF(transfers); i++) {
        long number = transfers[i].number;
        uint32_t own = CPROF_STATE_SYSTEM_CALL + (uint32_t)number;

        EXPECT(cprof_state_needs_descriptor(number));
        EXPECT(cprof_state_of_system_call(number, CPROF_DESCRIPTOR_SOCKET) ==
               transfers[i].of_socket);
        EXPECT(cprof_state_of_system_call(number, CPROF_DESCRIPTOR_FILE) == CPROF_STATE_FILE);
        EXPECT(cprof_state_of_system_call(number, CPROF_DESCRIPTOR_OTHER) == own);
        EXPECT(cprof_state_of_system_call(number, CPROF_DESCRIPTOR_UNKNOWN) == own);
        EXPECT(is_named(own, transfers[i].name));
    }
}

static void other_system_calls_keep_their_own_names(void)
{
    static const struct {
        long number;
        const char *name;
    } calls[] = {
        {SYS_ioctl, "ioctl"},           {SYS_mmap, "mmap"},
        {SYS_munmap, "munmap"},         {SYS_madvise, "madvise"},
        {SYS_semtimedop, "semtimedop"}, {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
        {SYS_getrandom, "getrandom"},   {SYS_io_getevents, "io_getevents"},
    };

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        uint32_t state = cprof_state_of_system_call(calls[i].number, CPROF_DESCRIPTOR_UNKNOWN);

        EXPECT(state == CPROF_STATE_SYSTEM_CALL + (uint32_t)calls[i].number);
        EXPECT(is_named(state, calls[i].name));
    }
}

static void a_system_call_without_a_name_is_shown_by_its_number(void)
{
    uint32_t last = CPROF_SYSTEM_CALLS_MAX - 1;

    EXPECT(cprof_state_of_system_call((long)last, CPROF_DESCRIPTOR_UNKNOWN) ==
           CPROF_STATE_SYSTEM_CALL + last);
    EXPECT(is_named(CPROF_STATE_SYSTEM_CALL + last, "system call 4095"));
    EXPECT(is_named(CPROF_STATE_SYSTEM_CALL + 1000, "system call 1000"));
}

static void numbers_out_of_range_are_no_system_calls(void)
{
    static const long above[] = {CPROF_SYSTEM_CALLS_MAX, INT32_MAX, INT64_MAX};
    static const long below[] = {-1, -4095, INT64_MIN};

    for (size_t i = 0; i < COUNT_OF(above); i++) {
        EXPECT(cprof_state_of_system_call(above[i], CPROF_DESCRIPTOR_SOCKET) ==
               CPROF_STATE_UNKNOWN);
    }
    for (size_t i = 0; i < COUNT_OF(below); i++) {
        EXPECT(cprof_state_of_system_call(below[i], CPROF_DESCRIPTOR_FILE) == CPROF_STATE_FAULT);
    }
}

static void functions_of_the_kernel_are_told_by_the_start_of_their_names(void)
{
    static const struct {
        const char *name;
        uint32_t state;
    } functions[] = {
        {"futex_wait_queue", CPROF_STATE_FUTEX},
        {"futex_wait_queue_me", CPROF_STATE_FUTEX},
        {"hrtimer_nanosleep", CPROF_STATE_SLEEP},
        {"do_epoll_wait", CPROF_STATE_POLL},
        {"ep_poll", CPROF_STATE_POLL},
        {"poll_schedule_timeout.constprop.0", CPROF_STATE_POLL},
        {"do_sys_poll", CPROF_STATE_POLL},
        {"do_select", CPROF_STATE_POLL},
        {"inet_csk_accept", CPROF_STATE_ACCEPT},
        {"inet_wait_for_connect", CPROF_STATE_CONNECT},
        {"sk_stream_wait_memory", CPROF_STATE_SEND},
        {"sk_wait_data", CPROF_STATE_RECV},
        {"wait_woken", CPROF_STATE_SOCKET},
        {"unix_stream_data_wait", CPROF_STATE_RECV},
        {"__skb_wait_for_more_packets", CPROF_STATE_RECV},
        {"do_wait", CPROF_STATE_WAIT},
        {"folio_wait_bit_common", CPROF_STATE_FILE},
        {"io_schedule", CPROF_STATE_FILE},
        {"jbd2_log_wait_commit", CPROF_STATE_FILE},
        {"pipe_read", CPROF_STATE_SYSTEM_CALL + SYS_read},
        {"anon_pipe_write", CPROF_STATE_SYSTEM_CALL + SYS_write},
        {"0", CPROF_STATE_UNKNOWN},
        {"", CPROF_STATE_UNKNOWN},
        {"fute", CPROF_STATE_UNKNOWN},
        {"a_function_of_2050", CPROF_STATE_UNKNOWN},
    };

    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        EXPECT(cprof_state_of_kernel_function(functions[i].name) == functions[i].state);
    }
}

/* The name of `state`, in memory of its exact size that the sanitizer watches. */
static void expect_sound_name(uint32_t state)
{
    char *name = malloc(CPROF_STATE_NAME_BYTES);
    size_t length;

    EXPECT(name);
    memset(name, 'x', CPROF_STATE_NAME_BYTES);
    EXPECT(cprof_state_name(state, name) == name);
    length = strnlen(name, CPROF_STATE_NAME_BYTES);
    EXPECT(length > 0 && length < CPROF_STATE_NAME_BYTES);
    free(name);
}

static void any_number_has_a_sound_name(void)
{
    for (uint32_t state = 0; state < CPROF_STATE_SYSTEM_CALL + CPROF_SYSTEM_CALLS_MAX + 100;
         state++) {
        expect_sound_name(state);
    }
    for (uint32_t bit = 0; bit < 32; bit++) {
        expect_sound_name(UINT32_C(1) << bit);
        expect_sound_name(UINT32_MAX >> bit);
        expect_sound_name(UINT32_MAX << bit);
    }
    EXPECT(is_named(CPROF_STATE_COUNT, "asleep"));
    EXPECT(is_named(CPROF_STATE_SYSTEM_CALL - 1, "asleep"));
    EXPECT(is_named(CPROF_STATE_SYSTEM_CALL + CPROF_SYSTEM_CALLS_MAX, "asleep"));
    EXPECT(is_named(UINT32_MAX, "asleep"));
}

static void a_wait_for_no_descriptor_waits_for_time(void)
{
    const uint64_t none[2] = {0, 0}, one[2] = {1, 1};

    EXPECT(cprof_state_waits_for_time(SYS_pselect6, none));
    EXPECT(cprof_state_waits_for_time(SYS_ppoll, none));
    EXPECT(!cprof_state_waits_for_time(SYS_pselect6, one));
    EXPECT(!cprof_state_waits_for_time(SYS_ppoll, one));
    EXPECT(!cprof_state_waits_for_time(SYS_recvfrom, none));
}

int main(void)
{
    RUN(a_wait_for_no_descriptor_waits_for_time);
    RUN(each_state_has_its_word);
    RUN(system_calls_are_told_by_what_they_wait_for);
    RUN(reads_and_writes_depend_on_what_they_read_and_write);
    RUN(other_system_calls_keep_their_own_names);
    RUN(a_system_call_without_a_name_is_shown_by_its_number);
    RUN(numbers_out_of_range_are_no_system_calls);
    RUN(functions_of_the_kernel_are_told_by_the_start_of_their_names);
    RUN(any_number_has_a_sound_name);
    return 0;
}
