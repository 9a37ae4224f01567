"""An app that does to a worker whatever makes sampling hard, and whose profile can be judged.

Each request does one of the acts, by its path: /exec, /deep, ... (see ACTS); /pid does nothing.
From the first request on, faulthandler holds the fault signals half of the time.

Made so that a reader can judge every stack: a call stands on one line with the callee's name
in it (or with ACTS[ for act_..., DRIVERS[ for drive_..., level_0 for the units of
torture_units.py), and no function here is called by the interpreter alone.

Environment
    TORTURE_LIBRARY   the library of tests/soak/c_threads.c
    TORTURE_SCRATCH   a directory for modules that are imported and removed
    TORTURE_LIE       set: the units' names lie, so that a check of names must fail

SPDX-License-Identifier: MIT
"""

import _thread
import asyncio
import contextlib
import ctypes
import faulthandler
import importlib
import os
import random
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import torture_units
import uwsgi

EXEC_UNITS = 40
SHORT_THREADS = 100
LASTING_THREADS = 3
LASTING_UNITS = 60
C_THREADS = 4
C_THREADS_MS = 300  # long enough for the profiler to find them
TOGGLE_S = 0.2
SWITCH_INTERVAL_S = 0.0005
APP_THREAD = "x"
CHILD_THREAD = "f"

LIBRARY = ctypes.CDLL(os.environ["TORTURE_LIBRARY"])
SCRATCH = Path(os.environ["TORTURE_SCRATCH"])
LIE = 1 if os.environ.get("TORTURE_LIE") else 0

sys.path.insert(0, str(SCRATCH))
sys.setswitchinterval(SWITCH_INTERVAL_S)


def spin(loops):
    while loops:
        loops -= 1


# Units: made, run and dropped


def drive_call(level_0, loops):
    level_0(loops)


def drive_generator(level_0, loops):
    for _ in level_0(loops):
        pass


def drive_coroutine(level_0, loops):
    level_0_coroutine = level_0(loops)
    with contextlib.suppress(StopIteration):
        level_0_coroutine.send(None)


def drive_raising(level_0, loops):
    with contextlib.suppress(ValueError):
        level_0(loops)


def drive_endless(level_0, loops):
    with contextlib.suppress(RecursionError):
        level_0(loops)


DRIVERS = {
    "plain": drive_call,
    "recursive": drive_call,
    "classes": drive_call,
    "generator": drive_generator,
    "coroutine": drive_coroutine,
    "raising": drive_raising,
    "endless": drive_endless,
}


# Each frame of a deep unit loops as often as each of another one.
DEEP = ("recursive", "endless")
LOOPS_MAX = {True: 100, False: 2000}


def run_unit(thread, kind=None):
    unit = torture_units.make_unit(uwsgi.worker_id(), thread, kind, LIE)
    names = {}
    exec(compile(unit.text, unit.file, "exec"), names)
    DRIVERS[unit.kind](names[unit.entry], random.randrange(LOOPS_MAX[unit.kind in DEEP]))
    # Functions and their globals are a cycle: half of the code dies here, half in a collection.
    if random.random() < 0.5:
        names.clear()


def act_nothing(core):
    pass


def act_exec(core):
    for _ in range(EXEC_UNITS):
        run_unit(core)


def act_deep(core):
    for _ in range(5):
        run_unit(core, "recursive")
        run_unit(core, "endless")


# Threads


def live_shortly(done):
    spin(100)
    done.release()


def act_threads(core):
    done = threading.Semaphore(0)
    for _ in range(SHORT_THREADS):
        _thread.start_new_thread(live_shortly, (done,))
    for _ in range(SHORT_THREADS):
        done.acquire()


def live_longer():
    for _ in range(LASTING_UNITS):
        run_unit(APP_THREAD)


def act_lasting(core):
    threads = []
    for _ in range(LASTING_THREADS):
        threads.append(threading.Thread(target=live_longer))
        threads[-1].start()
    for thread in threads:
        thread.join()


def called_from_c(number):
    if number % 8:
        spin(200)
    else:
        run_unit(APP_THREAD, "plain")


CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int)(called_from_c)


# A forked child waits for ever for a lock that another thread held, with a profiler or without.
# Two such locks are CPython's own, and the child asks for both while it clears the states of the
# threads that it left behind:
# - that of the list of thread states, up to 3.11. A C thread takes it without the GIL when it
#   enters Python (PyGILState_Ensure). So there C threads and forks take turns.
# - that of the module threading. So it is held by whoever forks.
if sys.version_info < (3, 12):
    NO_FORK_AMONG_C_THREADS = threading.Lock()
else:
    NO_FORK_AMONG_C_THREADS = contextlib.nullcontext()


def act_callbacks(core):
    with NO_FORK_AMONG_C_THREADS:
        failed = LIBRARY.torture_run(CALLBACK, C_THREADS, C_THREADS_MS)
    if failed:
        raise RuntimeError("no C threads")


def toggle_faulthandler():
    pause = threading.Event()
    while True:
        faulthandler.enable()
        pause.wait(TOGGLE_S)
        faulthandler.disable()
        pause.wait(TOGGLE_S)


# The interpreter's other ways


async def ping(queue, core):
    for _ in range(20):
        await queue.put(core)
        spin(200)
        await asyncio.sleep(0)


async def pong(queue):
    for _ in range(20):
        await queue.get()
        spin(200)


async def play(core):
    queue = asyncio.Queue(1)
    await asyncio.gather(ping(queue, core), pong(queue))


def act_coroutines(core):
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(play(core))
    finally:
        loop.close()
    for _ in range(10):
        run_unit(core, "coroutine")
        run_unit(core, "generator")


def fail(depth):
    if depth == 0:
        raise KeyError(depth)
    try:
        fail(depth - 1)
    except KeyError as error:
        raise RuntimeError(f"at {depth}") from error
    except RuntimeError:
        spin(50)
        raise


def act_exceptions(core):
    for _ in range(10):
        try:
            fail(20)
        except RuntimeError:
            traceback.format_exc()
        run_unit(core, "raising")


def import_unit(unit):
    path = SCRATCH / unit.file
    path.write_text(unit.text)
    importlib.invalidate_caches()
    level_0 = getattr(importlib.import_module(unit.stem), unit.entry)
    DRIVERS[unit.kind](level_0, 500)
    del sys.modules[unit.stem]
    path.unlink()


def act_imports(core):
    for _ in range(5):
        import_unit(torture_units.make_unit(uwsgi.worker_id(), core, None, LIE))
    sys.modules.pop("colorsys", None)
    importlib.import_module("colorsys")


# Children


def child_work():
    for _ in range(5):
        run_unit(CHILD_THREAD)


def act_forks(core):
    with NO_FORK_AMONG_C_THREADS, threading._active_limbo_lock:
        pid = os.fork()
    if pid == 0:
        try:
            child_work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    run_unit(core)
    status = os.waitpid(pid, 0)[1]
    if status != 0:
        raise RuntimeError(f"a child ended with status {status}")


def act_subprocesses(core):
    subprocess.run(["/bin/true"], check=True)
    run_unit(core)
    with NO_FORK_AMONG_C_THREADS, threading._active_limbo_lock:
        child = subprocess.Popen(["/bin/true"], preexec_fn=child_work)  # noqa: PLW1509 (that is the point)
    if child.wait() != 0:
        raise RuntimeError(f"a child ended with status {child.returncode}")


ACTS = {
    "/pid": act_nothing,
    "/exec": act_exec,
    "/deep": act_deep,
    "/threads": act_threads,
    "/lasting": act_lasting,
    "/callbacks": act_callbacks,
    "/coroutines": act_coroutines,
    "/exceptions": act_exceptions,
    "/imports": act_imports,
    "/forks": act_forks,
    "/subprocesses": act_subprocesses,
}

_begin = threading.Lock()
_toggler = []


def begin_once():
    with _begin:
        if not _toggler:
            _toggler.append(threading.Thread(target=toggle_faulthandler, daemon=True))
            _toggler[0].start()


def application(environ, start_response):
    begin_once()
    ACTS[environ["PATH_INFO"]](environ["uwsgi.core"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
