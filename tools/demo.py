"""Runs examples/flask under uWSGI with the profiler, sends it load, prints where the time went.

usage: demo.py [UWSGI]

Starts in the tree's top folder, after `make build`. Everything it starts has ended when it ends,
also on Ctrl-C and on failure: the server is a process group of its own.
"""

import contextlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LOAD_SECONDS = 15
CLIENTS = 4
START_SECONDS = 30
STOP_SECONDS = 15
TOP = 15
WALL_TOP = 8
INI = "examples/flask/uwsgi.ini"
GATEWAY = "./cloudprofiler-gateway"
PAGE = Path("cloudprofiler-web/report.html")
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    pass


class Server:
    """uWSGI, its log in a file, and a look at each line as it is written."""

    def __init__(self, uwsgi, profiles):
        self.log_path = profiles / "uwsgi.log"
        self.lines = []
        self.news = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen(
            [uwsgi, "--plugin-dir", ".", "--ini", INI],
            env={**os.environ, "PROFILES": str(profiles)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()

    def read_log(self):
        with self.log_path.open("w", encoding="utf-8") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                with self.news:
                    self.lines.append(line)
                    self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def find(self, pattern):
        matches = (re.search(pattern, line) for line in self.lines)
        return next((match for match in matches if match), None)

    def wait_for(self, pattern, seconds):
        with self.news:
            self.news.wait_for(lambda: self.ended or self.find(pattern), timeout=seconds)
            match = self.find(pattern)
        if match is None:
            raise DemoError("the server did not start:\n" + "".join(self.lines[-20:]))
        return match

    def stop(self):
        """The polite way; the process group is killed when it does not work in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"the server did not stop in {STOP_SECONDS} s and is killed", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(timeout=STOP_SECONDS)


class Load:
    """Clients that ask for pages, each over and over, until told to stop."""

    def __init__(self, port):
        self.port = port
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answers = 0
        self.failures = []
        self.clients = [
            threading.Thread(target=self.ask, args=(seed,), daemon=True) for seed in range(CLIENTS)
        ]
        for client in self.clients:
            client.start()

    def ask(self, seed):
        source = random.Random(seed)
        while not self.over.is_set():
            try:
                self.ask_once(page(source))
            except (OSError, http.client.HTTPException) as error:
                self.count(f"{type(error).__name__}: {error}")

    def ask_once(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        self.count(None if answer.status == 200 else f"{path}: status {answer.status}")

    def count(self, failure):
        with self.lock:
            if failure is None:
                self.answers += 1
            else:
                self.failures.append(failure)

    def stop(self):
        self.over.set()
        for client in self.clients:
            client.join(timeout=STOP_SECONDS)


def page(source):
    """What a visitor asks for: mostly the home page and searches, at times the report."""
    products = "&".join(f"product={source.randrange(400)}" for _ in range(20))
    pages = ["/", "/search?q=red+lamp", "/search?q=blue", f"/cart?{products}", "/report"]
    return source.choices(pages, weights=[6, 4, 2, 6, 2])[0]


def run_load(port):
    load = Load(port)
    began = time.monotonic()
    try:
        for second in range(1, LOAD_SECONDS + 1):
            time.sleep(max(0.0, began + second - time.monotonic()))
            show_progress(second, load.answers)
    finally:
        load.stop()
    if load.failures or not load.answers:
        raise DemoError(f"{len(load.failures)} requests failed: {load.failures[:3]}")
    return load.answers


def show_progress(second, answers):
    text = f"load: {second:2d} of {LOAD_SECONDS} s, {answers} answers"
    if sys.stdout.isatty():
        bar = "#" * (30 * second // LOAD_SECONDS)
        print(f"\r[{bar:30}] {text}", end="" if second < LOAD_SECONDS else "\n", flush=True)
    elif second % 5 == 0:
        print(text, flush=True)


def print_top(profiles, kind, count):
    """Returns the files of the kind."""
    files = sorted(profiles.glob(f"{kind}-*.pb.gz"))
    if not files:
        log = (profiles / "uwsgi.log").read_text(encoding="utf-8")
        raise DemoError(f"no {kind} profile was written. The server's log:\n" + log)
    subprocess.run([GATEWAY, "--top", "--top-count", str(count), *map(str, files)], check=True)
    return files


def write_page(profiles, files):
    """One page of all profiles; npm brings what it is made of."""
    if not PAGE.is_file():
        print("`make web` installs npm, and then this demo writes a page of them for any browser.")
        return
    page = profiles / "report.html"
    with page.open("wb") as out:
        subprocess.run([GATEWAY, "--html", *map(str, files)], stdout=out, check=True)
    print(f"All of them in one page, for any browser: {page}")


def print_result(profiles, answers):
    print(f"{answers} requests were answered. Where the CPU time went:\n", flush=True)
    files = print_top(profiles, "cpu", TOP)
    print("\nAnd where requests spent their time, waiting included:\n", flush=True)
    files += print_top(profiles, "wall", WALL_TOP)
    print("\nThe profiles:")
    for file in files:
        print(f"  {file}")
    write_page(profiles, files)
    print("Or look at one with other tools:")
    print(f"  go tool pprof -http=127.0.0.1: {files[-1]}")
    print("  or drop it on https://www.speedscope.app (it stays in the browser)")


def demo(uwsgi):
    profiles = Path(tempfile.mkdtemp(prefix="cloudprofiler-demo-"))
    server = Server(uwsgi, profiles)
    try:
        port = int(server.wait_for(r"bound to TCP address 127\.0\.0\.1:(\d+)", START_SECONDS)[1])
        server.wait_for(r"spawned uWSGI worker 2", START_SECONDS)
        print(f"A Flask shop runs on http://127.0.0.1:{port} (log: {server.log_path})")
        answers = run_load(port)
    finally:
        server.stop()
    print_result(profiles, answers)


def end_by_signal(*_):
    # The first one is enough: a second must not stop us from stopping the server.
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    for number in END_SIGNALS:
        signal.signal(number, end_by_signal)
    try:
        demo(sys.argv[1] if len(sys.argv) > 1 else "uwsgi")
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except (DemoError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"demo: {error}")


if __name__ == "__main__":
    main()
