"""A kernel that refuses perf_event_open, as containers and Debian's own kernels do.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import threading

# seccomp.h: SCMP_ACT_ALLOW, and SCMP_ACT_ERRNO(EPERM), which is Docker's answer.
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM


def _refuse_in_this_thread(system_call):
    """A filter on the calling thread and on all that it will start; it cannot be undone."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
    ]
    context = library.seccomp_init(ALLOW)
    assert context, "libseccomp gave no filter"
    number = library.seccomp_syscall_resolve_name(system_call.encode())
    for result in (
        library.seccomp_rule_add(context, REFUSE, number, 0),
        library.seccomp_load(context),
    ):
        assert result == 0, f"libseccomp: error {-result}"
    library.seccomp_release(context)


def without_perf_events(start):
    """Calls start() in a thread of its own; the processes that it starts get EPERM from
    perf_event_open, and so do theirs. The caller is left as it was."""
    outcome = []

    def run():
        try:
            _refuse_in_this_thread("perf_event_open")
            outcome.append((start(), None))
        except BaseException as error:  # handed to the caller
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error:
        raise error
    return result
