"""Kernels that refuse system calls, as containers, service managers and Debian's own kernels do.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import threading

# seccomp.h
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
CMP_MASKED_EQ = 7

# The flags of clone(2) that make new name spaces.
NEW_NAME_SPACES = 0x7E020000


def fail_with(reason):
    """SCMP_ACT_ERRNO: the call fails with this errno value."""
    return 0x00050000 | reason


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class _Filter:
    """A filter of the calling thread's and of all that it will start; it cannot be undone."""

    def __init__(self, otherwise):
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._library.seccomp_init.argtypes = [ctypes.c_uint32]
        for name in ("seccomp_load", "seccomp_release"):
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        self._library.seccomp_rule_add_array.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_void_p,
        ]
        self._context = self._library.seccomp_init(otherwise)
        assert self._context, "libseccomp gave no filter"

    def add(self, action, name, *comparisons):
        """Leaves out what this machine or its libseccomp does not know."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        array = (_Comparison * len(comparisons))(*comparisons)
        if number >= 0:
            result = self._library.seccomp_rule_add_array(
                self._context, action, number, len(comparisons), array
            )
            assert result == 0, f"libseccomp: {name}: error {-result}"

    def load(self):
        result = self._library.seccomp_load(self._context)
        assert result == 0, f"libseccomp: error {-result}"
        self._library.seccomp_release(self._context)


def _apart(put_on_filter, start):
    """Calls start() in a thread of its own behind the filter; so are the processes that it starts.
    The caller is left as it was."""
    outcome = []

    def run():
        try:
            put_on_filter()
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


REFUSE = fail_with(errno.EPERM)  # which is Docker's answer


def without(system_calls, start, action=REFUSE):
    """Calls start(); what it starts gets that answer from these calls."""

    def put_on_filter():
        made = _Filter(ALLOW)
        for name in system_calls:
            made.add(action, name)
        made.load()

    return _apart(put_on_filter, start)


def without_perf_events(start):
    return without(["perf_event_open"], start)


def killed_beyond(system_calls, start):
    """Calls start(); a process of what it starts that makes any other call than these is ended by
    SIGSYS. Of a list without clone3 that call fails as one of an old kernel does, and clone makes
    no new name spaces: so do Docker and containerd, since the C library tries clone3 first."""

    def put_on_filter():
        made = _Filter(KILL_PROCESS)
        for name in system_calls:
            if name == "clone" and "clone3" not in system_calls:
                made.add(ALLOW, name, _Comparison(0, CMP_MASKED_EQ, NEW_NAME_SPACES, 0))
            else:
                made.add(ALLOW, name)
        if "clone3" not in system_calls:
            made.add(fail_with(errno.ENOSYS), "clone3")
        made.load()

    return _apart(put_on_filter, start)
