"""Threads that wait in known ways and keep books of it, by the wall clock and by the kernel's.

    /pid     answers the worker's pid
    /mix     goes through all phases, over and over, on this thread and on one of its own; answers
             both books as JSON
    /spin    stays in Python; answers a book of clocks as JSON

Both last until there is a file called END in the directory of marks. Each thread leaves a file of
its name there when it begins.

A phase is a function, so that its name says in which state its samples must be.

SPDX-License-Identifier: MIT
"""

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

import burn
import uwsgi

PHASE_MS = {
    "nap": 16,
    "wait_for_lock": 12,
    "wait_for_data": 10,
    "wait_for_peer": 4,
    "wait_for_room": 6,
    "wait_for_event": 8,
    "work": 3,
}
PR_SET_NAME = 15  # prctl(2)

SPIN_MS = 20  # between two entries of a book of clocks

MARKS = Path(__file__).with_name("marks")
END = MARKS / "end"


def limit(one, option, ms):
    one.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, ms * 1000))


def tcp_pair():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


class Places:
    """What one thread waits for; nothing of it ever comes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()
        self.silent, self._silent_peer = tcp_pair()
        limit(self.silent, socket.SO_RCVTIMEO, PHASE_MS["wait_for_data"])
        self.full, self._full_peer = tcp_pair()
        fill(self.full)
        limit(self.full, socket.SO_SNDTIMEO, PHASE_MS["wait_for_room"])
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1)
        limit(self.listener, socket.SO_RCVTIMEO, PHASE_MS["wait_for_peer"])


def fill(one):
    """Nobody reads at the other end."""
    limit(one, socket.SO_SNDTIMEO, 200)
    try:
        while True:
            one.send(bytes(1 << 16))
    except BlockingIOError:
        pass


def nap(_places):
    time.sleep(PHASE_MS["nap"] / 1000)


def wait_for_lock(places):
    places.lock.acquire(timeout=PHASE_MS["wait_for_lock"] / 1000)


def wait_for_data(places):
    with contextlib.suppress(BlockingIOError):
        places.silent.recv(1)


def wait_for_peer(places):
    with contextlib.suppress(BlockingIOError):
        places.listener.accept()


def wait_for_room(places):
    with contextlib.suppress(BlockingIOError):
        places.full.send(b"x")


SILENT, SILENT_PEER = os.pipe()


def wait_for_event(_places):
    select.select([SILENT], [], [], PHASE_MS["wait_for_event"] / 1000)


def work(_places):
    loops = PHASE_MS["work"] * burn.LOOPS_PER_MS
    while loops:
        loops -= 1


PHASES = [nap, wait_for_lock, wait_for_data, wait_for_peer, wait_for_room, wait_for_event, work]


class Clocks:
    """Of the thread that makes it: CPU time, and time in which it waited for a CPU, ns.

    Read with the GIL held: who gave it away would wait for it, and for a CPU, between two clocks.
    """

    def __init__(self):
        self._descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._buffer = ctypes.create_string_buffer(64)
        self._pread = ctypes.PyDLL(None).pread
        self._pread.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long]

    def read(self):
        length = self._pread(self._descriptor, self._buffer, len(self._buffer), 0)
        cpu, run_queue, _ = self._buffer.raw[:length].split()
        return int(cpu), int(run_queue)

    def close(self):
        os.close(self._descriptor)


def core_name(environ):
    """What the profiler calls the thread."""
    return f"uWSGIWorker{uwsgi.worker_id()}Core{environ.get('uwsgi.core', 0)}"


def leave_mark(name):
    """Returns when the thread began, which is before anybody sees the mark."""
    begin = time.time()
    (MARKS / f"{os.getpid()}-{name}").touch()
    return begin


def name_this_thread(name):
    assert ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()) == 0


def mix(name):
    """Entries are: phase, start, end by the clock of the day, CPU and run-queue time in it."""
    clocks, places, entries = Clocks(), Places(), []
    begin = leave_mark(name)
    while not END.exists():
        for phase in PHASES:
            cpu, run_queue = clocks.read()
            start = time.time()
            phase(places)
            stop = time.time()
            cpu_after, run_queue_after = clocks.read()
            entry = (phase.__name__, start, stop, cpu_after - cpu, run_queue_after - run_queue)
            entries.append(entry)
    clocks.close()
    return {"thread": name, "begin": begin, "end": time.time(), "entries": entries}


def spin(name):
    """Entries are: time by the clock of the day, CPU and run-queue time so far."""
    clocks, entries = Clocks(), []
    begin = leave_mark(name)
    while not END.exists():
        entries.append((time.time(), *clocks.read()))
        spin_on()
    entries.append((time.time(), *clocks.read()))
    clocks.close()
    return {"thread": name, "begin": begin, "end": time.time(), "entries": entries}


def spin_on():
    loops = SPIN_MS * burn.LOOPS_PER_MS
    while loops:
        loops -= 1


def mix_in_two_threads(name):
    books, own_name = [], f"beside-{name[-5:]}"

    def mix_beside():
        books.append(mix(own_name))

    # A thread begins with the name of the one that makes it: it has its own whenever it is found.
    before = Path("/proc/thread-self/comm").read_text().strip()
    name_this_thread(own_name)
    thread = threading.Thread(target=mix_beside)
    thread.start()
    name_this_thread(before)
    books.append(mix(name))
    thread.join()
    return books


def spin_in_one_thread(name):
    return [spin(name)]


ROUTES = {"/mix": mix_in_two_threads, "/spin": spin_in_one_thread}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = str(os.getpid())
    if path in ROUTES:
        body = json.dumps({"books": ROUTES[path](core_name(environ))})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
