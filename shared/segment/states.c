/* states.c - see states.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "states.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

struct system_call {
    long number;
    uint32_t state; /* 0: its own name is its state */
    const char *name;
};

/* Those that a thread of a server is seen to sleep in. Numbers differ between machines, and
 * newer machines lack the older calls. */
static const struct system_call system_calls[] = {
    {SYS_recvfrom, CPROF_STATE_RECV, "recvfrom"},
    {SYS_recvmsg, CPROF_STATE_RECV, "recvmsg"},
    {SYS_recvmmsg, CPROF_STATE_RECV, "recvmmsg"},
    {SYS_sendto, CPROF_STATE_SEND, "sendto"},
    {SYS_sendmsg, CPROF_STATE_SEND, "sendmsg"},
    {SYS_sendmmsg, CPROF_STATE_SEND, "sendmmsg"},
    {SYS_sendfile, CPROF_STATE_SEND, "sendfile"},
#ifdef SYS_poll
    {SYS_poll, CPROF_STATE_POLL, "poll"},
    {SYS_select, CPROF_STATE_POLL, "select"},
    {SYS_epoll_wait, CPROF_STATE_POLL, "epoll_wait"},
#endif
    {SYS_ppoll, CPROF_STATE_POLL, "ppoll"},
    {SYS_pselect6, CPROF_STATE_POLL, "pselect6"},
    {SYS_epoll_pwait, CPROF_STATE_POLL, "epoll_pwait"},
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, CPROF_STATE_POLL, "epoll_pwait2"},
#endif
    {SYS_accept, CPROF_STATE_ACCEPT, "accept"},
    {SYS_accept4, CPROF_STATE_ACCEPT, "accept4"},
    {SYS_connect, CPROF_STATE_CONNECT, "connect"},
    {SYS_futex, CPROF_STATE_FUTEX, "futex"},
#ifdef SYS_futex_waitv
    {SYS_futex_waitv, CPROF_STATE_FUTEX, "futex_waitv"},
#endif
    {SYS_nanosleep, CPROF_STATE_SLEEP, "nanosleep"},
    {SYS_clock_nanosleep, CPROF_STATE_SLEEP, "clock_nanosleep"},
    {SYS_wait4, CPROF_STATE_WAIT, "wait4"},
    {SYS_waitid, CPROF_STATE_WAIT, "waitid"},
    {SYS_pread64, CPROF_STATE_FILE, "pread64"},
    {SYS_pwrite64, CPROF_STATE_FILE, "pwrite64"},
    {SYS_preadv, CPROF_STATE_FILE, "preadv"},
    {SYS_pwritev, CPROF_STATE_FILE, "pwritev"},
    {SYS_openat, CPROF_STATE_FILE, "openat"},
#ifdef SYS_open
    {SYS_open, CPROF_STATE_FILE, "open"},
    {SYS_stat, CPROF_STATE_FILE, "stat"},
    {SYS_lstat, CPROF_STATE_FILE, "lstat"},
    {SYS_unlink, CPROF_STATE_FILE, "unlink"},
    {SYS_rename, CPROF_STATE_FILE, "rename"},
    {SYS_mkdir, CPROF_STATE_FILE, "mkdir"},
    {SYS_rmdir, CPROF_STATE_FILE, "rmdir"},
#endif
#ifdef SYS_newfstatat
    {SYS_newfstatat, CPROF_STATE_FILE, "newfstatat"},
#endif
    {SYS_fstat, CPROF_STATE_FILE, "fstat"},
    {SYS_statx, CPROF_STATE_FILE, "statx"},
    {SYS_unlinkat, CPROF_STATE_FILE, "unlinkat"},
    {SYS_renameat2, CPROF_STATE_FILE, "renameat2"},
    {SYS_mkdirat, CPROF_STATE_FILE, "mkdirat"},
    {SYS_getdents64, CPROF_STATE_FILE, "getdents64"},
    {SYS_ftruncate, CPROF_STATE_FILE, "ftruncate"},
    {SYS_fallocate, CPROF_STATE_FILE, "fallocate"},
    {SYS_fsync, CPROF_STATE_FILE, "fsync"},
    {SYS_fdatasync, CPROF_STATE_FILE, "fdatasync"},
    {SYS_sync_file_range, CPROF_STATE_FILE, "sync_file_range"},
    {SYS_copy_file_range, CPROF_STATE_FILE, "copy_file_range"},
    {SYS_flock, CPROF_STATE_FILE, "flock"},
    {SYS_fcntl, CPROF_STATE_FILE, "fcntl"},
    {SYS_read, 0, "read"},
    {SYS_readv, 0, "readv"},
    {SYS_write, 0, "write"},
    {SYS_writev, 0, "writev"},
    {SYS_close, 0, "close"},
    {SYS_ioctl, 0, "ioctl"},
    {SYS_mmap, 0, "mmap"},
    {SYS_munmap, 0, "munmap"},
    {SYS_mprotect, 0, "mprotect"},
    {SYS_madvise, 0, "madvise"},
    {SYS_brk, 0, "brk"},
    {SYS_msync, 0, "msync"},
    {SYS_splice, 0, "splice"},
    {SYS_tee, 0, "tee"},
    {SYS_vmsplice, 0, "vmsplice"},
    {SYS_clone, 0, "clone"},
#ifdef SYS_clone3
    {SYS_clone3, 0, "clone3"},
#endif
#ifdef SYS_fork
    {SYS_fork, 0, "fork"},
    {SYS_vfork, 0, "vfork"},
    {SYS_pause, 0, "pause"},
#endif
    {SYS_execve, 0, "execve"},
    {SYS_rt_sigtimedwait, 0, "rt_sigtimedwait"},
    {SYS_rt_sigsuspend, 0, "rt_sigsuspend"},
    {SYS_semop, 0, "semop"},
    {SYS_semtimedop, 0, "semtimedop"},
    {SYS_msgrcv, 0, "msgrcv"},
    {SYS_msgsnd, 0, "msgsnd"},
    {SYS_mq_timedreceive, 0, "mq_timedreceive"},
    {SYS_mq_timedsend, 0, "mq_timedsend"},
    {SYS_io_getevents, 0, "io_getevents"},
    {SYS_io_submit, 0, "io_submit"},
    {SYS_getrandom, 0, "getrandom"},
    {SYS_sched_yield, 0, "sched_yield"},
    {SYS_membarrier, 0, "membarrier"},
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, 0, "io_uring_enter"},
#endif
};

#define SYSTEM_CALLS (sizeof(system_calls) / sizeof(system_calls[0]))

/* Functions of the kernel by the start of their names; they change slowly (seen in Linux 5.10 to
 * 6.18). The first that fits counts. */
static const struct {
    const char *start;
    uint32_t state;
} kernel_functions[] = {
    {"futex", CPROF_STATE_FUTEX},
    {"do_futex", CPROF_STATE_FUTEX},
    {"hrtimer_nanosleep", CPROF_STATE_SLEEP},
    {"do_nanosleep", CPROF_STATE_SLEEP},
    {"common_nsleep", CPROF_STATE_SLEEP},
    {"ep_poll", CPROF_STATE_POLL},
    {"do_epoll_wait", CPROF_STATE_POLL},
    {"poll_schedule_timeout", CPROF_STATE_POLL},
    {"do_poll", CPROF_STATE_POLL},
    {"do_sys_poll", CPROF_STATE_POLL},
    {"do_select", CPROF_STATE_POLL},
    {"core_sys_select", CPROF_STATE_POLL},
    {"inet_csk_accept", CPROF_STATE_ACCEPT},
    {"inet_csk_wait_for_connect", CPROF_STATE_ACCEPT},
    {"unix_accept", CPROF_STATE_ACCEPT},
    {"inet_wait_for_connect", CPROF_STATE_CONNECT},
    {"__inet_stream_connect", CPROF_STATE_CONNECT},
    {"inet_stream_connect", CPROF_STATE_CONNECT},
    {"unix_wait_for_peer", CPROF_STATE_CONNECT},
    /* TCP, for data and for room; reads of terminals and of inotify share it. */
    {"wait_woken", CPROF_STATE_SOCKET},
    {"sk_stream_wait_memory", CPROF_STATE_SEND},
    {"sock_alloc_send_pskb", CPROF_STATE_SEND},
    {"sock_wait_for_wmem", CPROF_STATE_SEND},
    {"sk_wait_data", CPROF_STATE_RECV},
    {"unix_stream_data_wait", CPROF_STATE_RECV},
    {"unix_stream_read_generic", CPROF_STATE_RECV},
    {"unix_dgram_recvmsg", CPROF_STATE_RECV},
    {"__skb_wait_for_more_packets", CPROF_STATE_RECV},
    {"skb_wait_for_more_packets", CPROF_STATE_RECV},
    {"tcp_recvmsg", CPROF_STATE_RECV},
    {"do_wait", CPROF_STATE_WAIT},
    {"kernel_wait4", CPROF_STATE_WAIT},
    {"folio_wait", CPROF_STATE_FILE},
    {"wait_on_page", CPROF_STATE_FILE},
    {"io_schedule", CPROF_STATE_FILE},
    {"rq_qos_wait", CPROF_STATE_FILE},
    {"jbd2_", CPROF_STATE_FILE},
    {"locks_lock_inode_wait", CPROF_STATE_FILE},
    {"flock_lock_inode_wait", CPROF_STATE_FILE},
    {"pipe_read", CPROF_STATE_SYSTEM_CALL + SYS_read},
    {"pipe_wait_readable", CPROF_STATE_SYSTEM_CALL + SYS_read},
    {"anon_pipe_read", CPROF_STATE_SYSTEM_CALL + SYS_read},
    {"pipe_write", CPROF_STATE_SYSTEM_CALL + SYS_write},
    {"anon_pipe_write", CPROF_STATE_SYSTEM_CALL + SYS_write},
    {"eventfd_read", CPROF_STATE_SYSTEM_CALL + SYS_read},
    {"n_tty_read", CPROF_STATE_SYSTEM_CALL + SYS_read},
    {"do_sigtimedwait", CPROF_STATE_SYSTEM_CALL + SYS_rt_sigtimedwait},
    {"sigsuspend", CPROF_STATE_SYSTEM_CALL + SYS_rt_sigsuspend},
};

#define KERNEL_FUNCTIONS (sizeof(kernel_functions) / sizeof(kernel_functions[0]))

static const char *const state_names[CPROF_STATE_COUNT] = {
    [CPROF_STATE_NONE] = "running",     [CPROF_STATE_UNKNOWN] = "asleep",
    [CPROF_STATE_RECV] = "recv",        [CPROF_STATE_SEND] = "send",
    [CPROF_STATE_POLL] = "poll",        [CPROF_STATE_ACCEPT] = "accept",
    [CPROF_STATE_CONNECT] = "connect",  [CPROF_STATE_FUTEX] = "futex",
    [CPROF_STATE_GIL] = "gil",          [CPROF_STATE_SLEEP] = "sleep",
    [CPROF_STATE_FILE] = "file",        [CPROF_STATE_WAIT] = "wait",
    [CPROF_STATE_FAULT] = "page fault", [CPROF_STATE_GREENLET] = "greenlet",
    [CPROF_STATE_SOCKET] = "socket",
};

static uint32_t own_state(long number)
{
    return number < (long)CPROF_SYSTEM_CALLS_MAX ? CPROF_STATE_SYSTEM_CALL + (uint32_t)number
                                                 : CPROF_STATE_UNKNOWN;
}

static uint32_t state_of_transfer(long number, enum cprof_descriptor_kind descriptor)
{
    bool reads = number == SYS_read || number == SYS_readv;

    switch (descriptor) {
    case CPROF_DESCRIPTOR_SOCKET:
        return reads ? CPROF_STATE_RECV : CPROF_STATE_SEND;
    case CPROF_DESCRIPTOR_FILE:
        return CPROF_STATE_FILE;
    case CPROF_DESCRIPTOR_OTHER:
    case CPROF_DESCRIPTOR_UNKNOWN:
        break;
    }
    return own_state(number);
}

bool cprof_state_needs_descriptor(long number)
{
    return number == SYS_read || number == SYS_readv || number == SYS_write || number == SYS_writev;
}

uint32_t cprof_state_of_system_call(long number, enum cprof_descriptor_kind descriptor)
{
    if (number < 0) {
        return CPROF_STATE_FAULT;
    }
    if (cprof_state_needs_descriptor(number)) {
        return state_of_transfer(number, descriptor);
    }
    for (size_t i = 0; i < SYSTEM_CALLS; i++) {
        if (system_calls[i].number == number && system_calls[i].state) {
            return system_calls[i].state;
        }
    }
    return own_state(number);
}

bool cprof_state_waits_for_time(long number, const uint64_t arguments[2])
{
    switch (number) {
    case SYS_pselect6:
#ifdef SYS_select
    case SYS_select:
#endif
        return arguments[0] == 0;
    case SYS_ppoll:
#ifdef SYS_poll
    case SYS_poll:
#endif
        return arguments[1] == 0;
    default:
        return false;
    }
}

uint32_t cprof_state_of_kernel_function(const char *wchan)
{
    for (size_t i = 0; i < KERNEL_FUNCTIONS; i++) {
        if (strncmp(wchan, kernel_functions[i].start, strlen(kernel_functions[i].start)) == 0) {
            return kernel_functions[i].state;
        }
    }
    return CPROF_STATE_UNKNOWN;
}

static const char *name_of_system_call(long number)
{
    for (size_t i = 0; i < SYSTEM_CALLS; i++) {
        if (system_calls[i].number == number) {
            return system_calls[i].name;
        }
    }
    return NULL;
}

const char *cprof_system_call_name(uint32_t number)
{
    return name_of_system_call((long)number);
}

const char *cprof_state_name(uint32_t state, char name[CPROF_STATE_NAME_BYTES])
{
    const char *known = NULL;

    if (state < CPROF_STATE_COUNT) {
        known = state_names[state];
    } else if (state >= CPROF_STATE_SYSTEM_CALL &&
               state - CPROF_STATE_SYSTEM_CALL < CPROF_SYSTEM_CALLS_MAX) {
        known = name_of_system_call((long)(state - CPROF_STATE_SYSTEM_CALL));
        if (!known) {
            (void)snprintf(name, CPROF_STATE_NAME_BYTES, "system call %u",
                           state - CPROF_STATE_SYSTEM_CALL);
            return name;
        }
    }
    (void)snprintf(name, CPROF_STATE_NAME_BYTES, "%s",
                   known ? known : state_names[CPROF_STATE_UNKNOWN]);
    return name;
}
