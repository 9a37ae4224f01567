"""A real uWSGI server in a session of its own, on a unix socket.

A unix socket needs no port and keeps its name over a reload. Everything of one server lies in
its directory: app, ini, log, sockets, profiles.

SPDX-License-Identifier: MIT
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import termios

from . import processes
from .build import PLUGIN_DIR, PYTHON_PLUGIN, SOURCE, UWSGI
from .load import Load, get
from .profiles import profile_files, wait_for_files
from .wait import wait_for
from .workspace import workspace

APPS = SOURCE / "tests" / "apps"
GATEWAY_NAME = "cloudprofiler-gateway"
# The kernel keeps 15 bytes of a process's name.
GATEWAY_COMM = GATEWAY_NAME[:15]

STOP_SECONDS = 30
READY = re.compile(r"WSGI app 0 .* ready in|no app loaded|spawned uWSGI worker")
# With two interpreters uWSGI 2.0 by itself ends with one of the two errors that are left out.
# CPython writes such an error in parts, between which those of another worker may stand.
CRASH = re.compile(
    r"Segmentation Fault|killed by signal (4|6|7|8|11)\b|Sanitizer"
    r"|Fatal Python error(?!(?s:.{0,200})(?:PyInterpreterState_Delete|Py_EndInterpreter))"
    r"|trying to unlock a robust mutex",
)
OUR_ERROR = re.compile(r"^\[cloudprofiler\] error: .*$", re.MULTILINE)
# A window of a second that no processor was free for in time is the machine's doing.
OUR_WARNING = re.compile(
    r"^\[cloudprofiler\] warning: (?!.*had to wait for others until it was too late).*$",
    re.MULTILINE,
)
WORKER_BORN = re.compile(
    r"(?:spawned uWSGI worker (\d+) \((?:and the only\) \()?pid: (\d+)"
    r"|Respawned uWSGI worker (\d+) \(new pid: (\d+)\))"
)

# Options for windows that follow each other without a gap, so that a test waits less.
QUICK = {"cloudprofiler_output_interval": 1, "cloudprofiler_output_duration": 1}
NO_MASTER = {"master": None, "processes": None, "master_fifo": None}

# Two plugins in the order that README shows; PYTHON_PLUGIN is empty where Python is built in.
PYTHON_FIRST = ("python", "cloudprofiler")
PYTHON_LAST = ("cloudprofiler", "python")
WITHOUT_PROFILER = ("python",)
WITHOUT_PYTHON = ("cloudprofiler",)


def _plugin_line(plugins):
    names = [PYTHON_PLUGIN if name == "python" else name for name in plugins]
    return ", ".join(name for name in names if name)


def _ini(options):
    lines = ["[uwsgi]"]
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{name} = {one}" for one in values if one is not None]
    return "\n".join(lines) + "\n"


class _Stranger:
    """A process that is no child of ours, by the part of Popen's interface that is used here."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if processes.is_alive(self.pid) else 0

    def wait(self, seconds):
        wait_for(lambda: self.poll() == 0, f"the end of {self.pid}", seconds)
        return 0

    def send_signal(self, verb):
        os.kill(self.pid, verb)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Uwsgi:
    """One server.

    `options` are ini lines over the defaults below (underscores stand for hyphens; None takes a
    default away; a list repeats the line). With `user` it starts as root and changes to that.
    `launcher` is a command that executes the one that follows it.
    """

    def __init__(
        self,
        directory,
        plugin_dir,
        *,
        app="burn",
        plugins=PYTHON_FIRST,
        env=None,
        user=None,
        launcher=(),
        **options,
    ):
        directory.mkdir(mode=0o755)
        for source in APPS.glob("*.py"):
            shutil.copy(source, directory)
        self.directory = directory
        self.profiles = directory / "profiles"
        self.profiles.mkdir(mode=0o755)
        self.errors_allowed = False  # of ours; a test that provokes one says so
        self.master_pid = None
        self._session = None
        self._launcher = launcher
        self._env = {**os.environ, **(env or {})}
        self.log_file = directory / "log"
        # Without a master uWSGI ends with 30 or 0, as the signal finds it.
        self._good_statuses = {0, 30} if options.get("master", "") is None else {0}
        self._process = None
        self._options = {
            "plugin-dir": plugin_dir,
            "plugins": _plugin_line(plugins),
            "http-socket": directory / "http.sock",
            "chmod-socket": "666",
            "master": "true",
            "processes": 2,
            "wsgi-file": directory / f"{app}.py",
            "pythonpath": directory,
            "master-fifo": directory / "fifo",
            "disable-logging": "true",
            "worker-reload-mercy": 20,
        }
        if "cloudprofiler" in plugins:
            self._options |= {
                "cloudprofiler-output-dir": self.profiles,
                "cloudprofiler-output-interval": 2,
                "cloudprofiler-output-duration": 1,
                # Tests talk to loopback alone; those of uploads take this away.
                "cloudprofiler-disable-upload": "true",
                # A busy machine makes profiling dear; only tests of the ceilings depend on that.
                "cloudprofiler-max-overhead": "off",
                "cloudprofiler-max-samples": "off",
            }
        if user:
            for path in (directory, self.profiles):
                shutil.chown(path, user, user)
            self._options |= {"uid": user, "gid": user}
        self._options |= {name.replace("_", "-"): value for name, value in options.items()}

    # Life

    def set_option(self, name, value):
        """For the next start or reload, once write_ini has run. Of options that are named as one
        of the constructor's arguments it is the only way."""
        self._options[name] = value

    def write_ini(self):
        ini = self.directory / "uwsgi.ini"
        ini.write_text(_ini(self._options))
        return ini

    def launch(self):
        """Starts the process and does not wait for anything."""
        ini = self.write_ini()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._launcher, UWSGI, "--ini", str(ini)],
                cwd=self.directory,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.master_pid = self._session = self._process.pid
        return self

    def adopt(self, master_pid):
        """The server's first process is this one from now on, whoever started it."""
        self.master_pid = master_pid
        self._session = processes.process(master_pid).session
        self._process = _Stranger(master_pid)

    def start(self, path="/pid"):
        """Starts the server and waits until it answers `path`."""
        self.launch()
        self.wait_until_live(path)
        return self

    def wait_until_live(self, path="/pid"):
        def answers():
            assert self._process.poll() is None, f"uWSGI ended:\n{self.log_tail()}"
            try:
                return get(self.directory / "http.sock", path) is not None
            except OSError:
                return False

        wait_for(answers, "the first answer")

    def wait_for_exit(self, seconds=STOP_SECONDS):
        """Waits for a server that ends by itself; returns its exit status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"uWSGI did not end:\n{self.log_tail()}") from None

    def _wait_for_end(self):
        """Waits for the exit of a server that was told to end; returns its status.

        The master looks after its children once a second, or when a letter comes."""

        def has_ended():
            if self.is_running():
                self._wake_master()
            return not self.is_running()

        try:
            wait_for(has_ended, "the end of uWSGI", STOP_SECONDS)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}:\n{self.log_tail()}") from None
        return self._process.poll()

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self, verb=signal.SIGINT):
        """Ends the server by `verb` to its first process, and fails unless it ended well, left
        no process behind, did not crash and logged no error of ours."""
        wait_for(self._hears_signals, "uWSGI's handlers of signals")
        self._process.send_signal(verb)
        status = self._wait_for_end()
        try:
            wait_for(
                lambda: not processes.in_session(self._session),
                f"the end of {processes.in_session(self._session)}",
            )
        finally:
            self.kill()
        assert status in self._good_statuses, f"uWSGI ended with {status}:\n{self.log_tail()}"
        self.check_log()

    def _hears_signals(self):
        """uWSGI has its handlers only after the workers' start, also that of a reload. Until then
        Python has one for SIGINT, which keeps the signal to itself. A worker sets its own after
        that, SIGUSR2's as the last and as nobody else; one that is ended before misses it, and
        is killed when uWSGI's patience is over."""
        if not self.is_running():
            return True
        return self._catches(self.master_pid, signal.SIGHUP) and all(
            self._catches(pid, signal.SIGUSR2) for pid in self._own_workers()
        )

    def _own_workers(self):
        """The workers that are still uWSGI: another program may have taken their place."""
        children = {child.pid for child in processes.children(self.master_pid)}
        return {
            pid
            for pid in children.intersection(self.workers().values())
            if processes.program(pid) == processes.program(self.master_pid)
        }

    @staticmethod
    def _catches(pid, number):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return processes.catches(pid, number)
        return True  # it has ended

    def end(self):
        """Stops the server if it still runs, and shows the log."""
        if self.master_pid is None:
            return
        try:
            if self.is_running():
                self.stop()
        finally:
            self.kill()
            print(f"--- log of {self.directory.name}:\n{self.log_tail()}")

    def kill(self):
        """Ends what is left of the server's own processes."""
        for left in processes.in_session(self._session):
            try:
                os.kill(left.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    # Requests

    def get(self, path="/pid"):
        return get(self.directory / "http.sock", path).decode()

    def load(self, path, **how):
        """See Load; use it as a context manager."""
        return Load(self.directory / "http.sock", path, **how)

    def some_work(self, path="/burn?ms=10", **how):
        """A load for samples alone, which leaves processors to others: each client rests ten times
        as long as the server works for it."""
        return self.load(path, **{"rest_s": 0.1, **how})

    def burst(self, path, count, threads=2):
        """`count` requests, all of which must be answered well."""
        load = self.load(path, threads=threads, count=count)
        with load:
            load.join()
        assert not load.failures, load.failures[:3]

    # Log

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def log_tail(self, lines=60):
        return "\n".join(self.log.splitlines()[-lines:])

    def wait_for_log(self, pattern, times=1, seconds=30.0):
        """Waits until the log holds `times` matches of a regular expression, and returns them."""
        expression = re.compile(pattern, re.MULTILINE)

        def seen():
            found = expression.findall(self.log)
            return found if len(found) >= times else None

        return wait_for(seen, f"{times} x {pattern!r} in the log", seconds)

    @property
    def our_errors(self):
        return OUR_ERROR.findall(self.log)

    @property
    def our_warnings(self):
        return OUR_WARNING.findall(self.log)

    def check_log(self):
        log = self.log
        crash = CRASH.search(log)
        assert not crash, f"{crash.group()!r} in the log:\n{log[-8000:]}"
        assert self.errors_allowed or not self.our_errors, self.our_errors

    # Processes

    def workers(self):
        """The pid of each worker that lives now, by its number."""
        born = {}
        for first, first_pid, again, again_pid in WORKER_BORN.findall(self.log):
            born[int(first or again)] = int(first_pid or again_pid)
        return {number: pid for number, pid in born.items() if processes.is_alive(pid)}

    def wait_for_workers(self, count):
        """The workers, when there are `count`: the first answers before the last is logged."""

        def all_born():
            found = self.workers()
            return found if len(found) == count else None

        return wait_for(all_born, f"{count} workers")

    def gateway(self):
        """The pid of the gateway, waited for."""

        def find():
            found = [p for p in processes.children(self.master_pid) if p.name == GATEWAY_COMM]
            return found[0].pid if len(found) == 1 else None

        return wait_for(find, "one gateway process")

    # Verbs

    def reload_by_signal(self):
        os.kill(self.master_pid, signal.SIGHUP)

    @contextlib.contextmanager
    def many_letters(self):
        """For letters in a quick row: uWSGI opens the fifo anew when its last writer is gone, and
        what another writes meanwhile is lost. This one stays."""
        descriptor = wait_for(self._open_fifo, "a master that reads its fifo")
        try:
            yield
        finally:
            os.close(descriptor)

    def _open_fifo(self):
        """None where nobody reads it: to wait for a reader in open() would be to wait for ever
        when a reload makes another fifo of that name meanwhile."""
        try:
            return os.open(self.directory / "fifo", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            return None

    def _send_to_fifo(self, verb):
        """Returns whether the verb was read. A reload may leave it behind in the old fifo."""
        fifo = self.directory / "fifo"
        descriptor = self._open_fifo()
        if descriptor is None:
            return False

        def is_empty():
            return fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)) == bytes(4)

        def is_another():
            return not fifo.exists() or not os.path.samestat(os.fstat(descriptor), fifo.stat())

        try:
            os.write(descriptor, verb.encode())
            wait_for(lambda: is_empty() or is_another(), "the fifo's reader")
            return is_empty()
        except BrokenPipeError:
            return False
        finally:
            os.close(descriptor)

    def _wake_master(self):
        """Has its loop go round at once. A line's end is no verb of anybody."""
        descriptor = self._open_fifo()
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(descriptor, b"\n")
            os.close(descriptor)

    def write_fifo(self, verb):
        wait_for(lambda: self._send_to_fifo(verb), f"a master that reads {verb!r}")

    def wait_for_new_workers(self, old):
        """Waits until as many workers as in `old` live, none of which is in it."""

        def all_new():
            new = self.workers()
            return len(new) == len(old) and not set(new.values()) & set(old.values())

        wait_for(all_new, f"successors of {old}", 60)

    # Profiles

    def wait_for_profiles(self, more=1, seconds=30.0):
        """The files of `more` profiles beyond those that are there now."""
        return wait_for_files(self.profiles, more, seconds)

    def wait_for_first_profile(self, seconds=30.0):
        """The file of the first window of this server's life, whether or not it is there yet."""
        return wait_for(lambda: profile_files(self.profiles), "the first profile", seconds)[0]

    def wait_for_window(self, is_open=True, seconds=30.0):
        """Waits until some worker has a timer, or none has one.

        Timers are what a window is to the kernel: this needs no word of the product's.
        """

        def as_asked():
            found = any(processes.timers(pid) for pid in self.workers().values())
            return found == is_open

        wait_for(as_asked, "a window" if is_open else "the end of the window", seconds)

    def pass_windows(self, number):
        """Waits until `number` windows have begun and ended."""
        for _ in range(number):
            self.wait_for_window()
            self.wait_for_window(is_open=False)


@contextlib.contextmanager
def running(path="/pid", **options):
    """For a program that measures what is built already: a server that has answered `path`, and is
    killed when the block ends."""
    with workspace() as directory:
        server = Uwsgi(directory / "server", PLUGIN_DIR, **options)
        try:
            yield server.start(path)
        finally:
            server.kill()
