"""Builds and tests the plugin on every CPython of this machine; prints one line for each.

usage: python3 tests/matrix/matrix.py   (`make matrix`)

What is tried, in the environment:

PYTHONS    words, each one of these; of several with the same version, the first is tried
               debian                   Debian's uWSGI with its plugin for Debian's CPython
               /path/to/python3         this interpreter, with the newest uWSGI of PyPI
               chroot:/root:/path       the same inside another root, such as a directory that
                                        debootstrap made; needs root, and there the packages of
                                        tools/install-packages, a C compiler and python3-venv
           Default: debian, the system's interpreters and those of pyenv, from 3.6 on, that
           have headers and the module ensurepip.
NEWEST     set: only the newest CPython of them, with the newest uWSGI of PyPI (Debian's pair is
           what `make test` tests)

A pair's environment, plugin, logs and servers' files lie in build/matrix/<version>/. uWSGI, Flask
and gevent are installed there once, by pip, and kept: remove the directory for newer ones. A
CPython for which there is no gevent that works is tested without. Exit status 1 when anything
failed.

SPDX-License-Identifier: MIT
"""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
CHROOT_TREE = Path("/opt/cloudprofiler-matrix")  # where a chroot has its copy of SOURCE
TEST_PYTHON = "/usr/bin/python3"  # has pytest and protobuf, whatever is tested

DEBIAN = "debian"
CHROOT = "chroot:"
OLDEST = (3, 6)
# Under 3.15 most servers with gevent 26.9 (uWSGI 2.0.31) crash at the first request, also without
# the profiler.
NEWEST_WITH_GEVENT = (3, 14)

INSTALL_SECONDS = 900
BUILD_SECONDS = 300
STEP_SECONDS = 600
TESTS_SECONDS = 1200
END_SECONDS = 60

# The tests in which an interpreter's version can show. Those of refusals, of faults on disk and
# of starting as another user are left out: they see the same code with any version.
CORE_TESTS = [
    "tests/e2e/test_reading.py",
    "tests/e2e/test_kills.py",
    "tests/e2e/test_truth.py",
    "tests/e2e/test_c_threads.py",
    "tests/e2e/test_kinds.py",
    "tests/e2e/test_mounts.py",
    "tests/e2e/test_app_signals.py",
    "tests/e2e/test_gevent.py",
    "tests/e2e/test_python_api.py",
    "tests/e2e/test_google_start.py",
    "tests/e2e/test_google_calls.py",
    "tests/e2e/test_native_leaf.py",
    "tests/e2e/test_gil_tag.py",
    "tests/e2e/test_check_beside_server.py",
    "tests/e2e/test_wall_truth.py::test_one_thread_runs_while_three_wait_for_the_interpreter",
    "tests/e2e/test_forks.py::test_forked_children_are_not_sampled_and_end_well[threads on]",
    "tests/e2e/test_forks.py::test_forked_children_are_not_sampled_and_end_well[two threads]",
    "tests/e2e/test_forms.py::test_profiles_go_on_with",
    "tests/e2e/test_forms.py::test_reloads_under_load_fail_no_request_and_profiles_go_on[SIGHUP]",
]

# Runs under the interpreter that is asked, which may be 3.6.
ASK = """
import importlib.util, json, os, sys, sysconfig
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name,
    "abiflags": sys.abiflags,
    "headers": os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "library_dir": sysconfig.get_config_var("LIBDIR"),
    "identity": os.path.realpath(sys.executable),
}))
"""

# What tests/step/step_walker and step_c_threads say.
STEP_LINE = re.compile(
    r"(?P<instants>\d+) instants, .* (?P<wrong>\d+) wrong stacks"
    r".*refused: entry (?P<entry>\d+), starting (?P<starting>\d+), unreadable (?P<unreadable>\d+)"
)
STEP_COMMANDS = (("step_walker", "tests/step/workload.py", "all"), ("step_c_threads", "all"))
REASONS = ("entry", "starting", "unreadable")


@dataclass
class Target:
    """One pair of CPython and uWSGI. All paths are as seen from inside `root`."""

    python: str
    about: dict
    root: str = ""  # a chroot; empty: this system
    is_debian: bool = False
    uwsgi: str = "/usr/bin/uwsgi"
    plugin_name: str = "python3"

    @property
    def version(self):
        return ".".join(map(str, self.about["version"]))

    @property
    def name(self):
        where = "-debian" if self.is_debian else "-" + Path(self.root).name if self.root else ""
        return self.version + where

    @property
    def tree(self):
        return CHROOT_TREE if self.root else SOURCE

    @property
    def directory(self):
        return self.tree / "build" / "matrix" / self.name

    def outside(self, path):
        """The same path as this process sees it."""
        return Path(self.root + str(path))


@dataclass
class Result:
    target: Target
    uwsgi: str = "-"
    build: str = "-"
    tests: str = "-"
    instants: int = 0
    wrong: int = 0
    refused: dict = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    failures: list = field(default_factory=list)


class CommandFailed(Exception):
    """A command of a target failed; the text says which, and where its output is."""


def inside(root, command, directory):
    """The command as it is run in `root`, which sees its own /proc for as long as it lasts."""
    if not root:
        return command
    script = 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -c \'cd "$0" && exec "$@"\' "$@"'
    return ["unshare", "--mount", "sh", "-c", script, root, str(directory), *command]


def end_children_too():
    """To be called first: this process, when it is ended from outside, ends what run() started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Where a shell script put this into the background SIGINT is ignored, and would be ignored by
    # all that is started here, but end() needs it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def end(process):
    """Ends a process that was started in a group of its own, kindly first: pytest then ends the
    servers that it started."""
    for verb in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, verb)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def run(target, command, log_name, seconds, directory=None, **environment):
    """Runs a command for a target, its output in a log, and returns that; raises CommandFailed."""
    directory = directory or target.directory
    target.outside(directory).mkdir(parents=True, exist_ok=True)
    log = target.outside(target.directory / log_name)
    with log.open("wb") as output:
        process = subprocess.Popen(
            inside(target.root, [str(word) for word in command], directory),
            cwd=None if target.root else directory,
            env={**os.environ, **{name: str(value) for name, value in environment.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{log_name}: not done after {seconds} s: {log}") from None
        finally:
            end(process)
    if status != 0:
        raise CommandFailed(f"{log_name}: exit status {status}: {log}")
    return log.read_text(errors="replace")


# Which interpreters there are


def ask(python, root=""):
    """What an interpreter says of itself, or None if it cannot be run."""
    command = inside(root, [python, "-c", ASK], "/")
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(result.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def obstacle(about):
    """Why the plugin cannot be built and tested with an interpreter; empty: it can."""
    if about is None:
        return "cannot be run"
    major, minor, _ = about["version"]
    if about["implementation"] != "cpython" or (major, minor) < OLDEST:
        return f"CPython {OLDEST[0]}.{OLDEST[1]} or later is needed"
    if about["free_threaded"]:
        return "a free-threaded build"
    if not (SOURCE / f"plugin/python/versions/cpython_{major}{minor}.h").is_file():
        return f"plugin/python/versions/ has no layout of CPython {major}.{minor}"
    if not about["headers"]:
        return "its headers are missing (Debian: python3-dev)"
    if not about["ensurepip"]:
        return "it cannot make virtual environments (Debian: python3-venv)"
    return ""


def target_of(word):
    if word == DEBIAN:
        return Target(TEST_PYTHON, ask(TEST_PYTHON), is_debian=True)
    if word.startswith(CHROOT):
        root, _, python = word[len(CHROOT) :].partition(":")
        return Target(python, ask(python, root), root.rstrip("/"))
    return Target(word, ask(word))


def installed_pythons():
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [*Path("/usr/bin").glob("python3*"), *Path("/usr/local/bin").glob("python3*")]
    places = [path for path in places if re.fullmatch(r"python3(\.\d+)?", path.name)]
    return [*map(str, sorted(places)), *map(str, sorted(pyenv.glob("versions/*/bin/python3")))]


def find_targets():
    words = os.environ.get("PYTHONS", "").split()
    asked_for = bool(words)
    if not words:
        words = [*([DEBIAN] if Path("/usr/bin/uwsgi").exists() else []), *installed_pythons()]
    found, word_of = {}, {}
    for word in words:
        target = target_of(word)
        why_not = obstacle(target.about)
        if why_not and asked_for:
            sys.exit(f"{word}: {why_not}")
        if why_not:
            print(f"left out: {word}: {why_not}")
            continue
        first = found.setdefault(target.name, target)
        # python3 and python3.11 may be one interpreter, of which nobody needs to be told.
        if first is not target and (asked_for or first.about != target.about):
            print(f"left out: {word}: CPython {target.name} is {word_of[target.name]} already")
        word_of.setdefault(target.name, word)
    targets = sorted(found.values(), key=lambda one: (one.about["version"], not one.is_debian))
    if os.environ.get("NEWEST"):
        targets = [target for target in targets if not target.is_debian][-1:]
    return targets


# What is done with each


def copy_tree(target):
    """Gives a chroot the present sources; what was built there stays."""
    for path in target.outside(target.tree).glob("*"):
        if path.name != "build":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(
        SOURCE,
        target.outside(target.tree),
        ignore=shutil.ignore_patterns(".git", "build", "*.so", "cloudprofiler-gateway"),
        copy_function=shutil.copy,  # as new files: what make built of others is out of date
        dirs_exist_ok=True,
    )


def install_from_pypi(target, environment):
    try:
        run(
            target,
            [environment / "bin/pip", "install", "--no-binary=uwsgi", "uwsgi", "flask"],
            "pip.log",
            INSTALL_SECONDS,
            # A shared libpython that lies in no standard place must be found at run time.
            LDFLAGS=f"-Wl,-rpath,{target.about['library_dir']}",
        )
    except CommandFailed as failure:
        log = target.outside(target.directory / "pip.log").read_text(errors="replace")
        if re.search(r"No matching distribution found|establish a new connection", log):
            raise CommandFailed(f"PyPI was not reached, so nothing was tested: {failure}") from None
        raise


def install_gevent(target, environment):
    """As a wheel: building it takes longer than the tests. Without one its tests are skipped."""
    if tuple(target.about["version"][:2]) > NEWEST_WITH_GEVENT:
        return
    command = [environment / "bin/pip", "install", "--only-binary=:all:", "gevent"]
    try:
        run(target, command, "gevent.log", INSTALL_SECONDS)
    except CommandFailed as failure:
        print(f"left out: gevent for CPython {target.name}: {failure}", flush=True)


def install(target):
    """A virtual environment with the newest uWSGI, Flask and gevent that this CPython takes."""
    environment = target.directory / "venv"
    ready = target.outside(target.directory / "installed")
    if not ready.exists():
        # --no-binary: pip would take a uWSGI from its cache that was linked for another place.
        run(target, [target.python, "-m", "venv", "--clear", environment], "venv.log", 120)
        install_from_pypi(target, environment)
        install_gevent(target, environment)
        ready.touch()
    target.python = str(environment / "bin/python")
    target.uwsgi = str(environment / "bin/uwsgi")
    target.plugin_name = ""  # Python is part of such a uWSGI


def build(target):
    directory = target.directory / "plugin"
    shutil.rmtree(target.outside(directory), ignore_errors=True)
    command = [target.uwsgi, "--build-plugin", target.tree]
    output = run(target, command, "build.log", BUILD_SECONDS, directory, PYTHON=target.python)
    if "warning:" in output:
        raise CommandFailed(
            f"build.log: warnings: {target.outside(target.directory / 'build.log')}"
        )


def add_step_counts(output, result):
    """False when a step program did not say its counts."""
    counts = STEP_LINE.search(output)
    if not counts:
        return False
    result.instants += int(counts["instants"])
    result.wrong += int(counts["wrong"])
    for why in REASONS:
        result.refused[why] += int(counts[why])
    return True


def step(target, result):
    """Walks after each instruction; see tests/step/step_walker.c and step_c_threads.c."""
    command = ["make", "-j2", f"PYTHON={target.python}", f"UWSGI={target.uwsgi}", "step-programs"]
    run(target, command, "step-build.log", BUILD_SECONDS, target.tree)
    programs = f"build/step-{target.version}{target.about['abiflags']}"
    for name, *arguments in STEP_COMMANDS:
        log_name = f"{name}.log"
        try:
            command = [f"{programs}/{name}", *arguments]
            run(target, command, log_name, STEP_SECONDS, target.tree)
        finally:
            log = target.outside(target.directory / log_name)
            has_counts = add_step_counts(log.read_text(errors="replace"), result)
        if not has_counts:
            raise CommandFailed(f"{log_name}: it does not say its counts: {log}")


def read_report(path, result):
    """Counts of the JUnit report that pytest left."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    bad = [one for one in cases if one.find("failure") is not None or one.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    result.tests = f"{len(cases) - len(bad) - skipped}/{len(bad)}"
    result.failures += [f"{case.get('classname')}::{case.get('name')}" for case in bad]


def test(target, result):
    report = target.directory / "tests.xml"
    target.outside(report).unlink(missing_ok=True)
    command = [TEST_PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile"]
    command += [f"--junitxml={report}", *CORE_TESTS]
    try:
        run(
            target,
            command,
            "tests.log",
            TESTS_SECONDS,
            target.tree,
            UWSGI=target.uwsgi,
            PYTHON=target.python,
            UWSGI_PYTHON_PLUGIN=target.plugin_name,
            CPROF_PLUGIN_DIR=target.directory / "plugin",
        )
    finally:
        if target.outside(report).exists():
            read_report(target.outside(report), result)


def try_target(target):
    result = Result(target)
    try:
        if target.root:
            copy_tree(target)
        if not target.is_debian:
            install(target)
        result.uwsgi = run(target, [target.uwsgi, "--version"], "uwsgi.log", 60).split()[-1]
        result.build = "failed"
        build(target)
        result.build = "ok"
    except CommandFailed as failure:
        result.failures.append(str(failure))
        return result
    stages = [test, step] if platform.machine() == "x86_64" else [test]
    for stage in stages:
        try:
            stage(target, result)
        except CommandFailed as failure:
            result.failures.append(str(failure))
    return result


# What is said


HEAD = ("CPython", "uWSGI", "build", "passed/failed", "step instants", "wrong", *REASONS)
WIDTHS = (16, 15, 8, 15, 15, 7, 8, 10, 10)


def row(cells):
    text = "".join(str(cell).ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    return text.rstrip()


def result_row(one):
    name = one.target.name
    steps = (one.instants, one.wrong, *one.refused.values()) if one.instants else "-" * 5
    return row((name, one.uwsgi, one.build, one.tests, *steps))


def main():
    end_children_too()
    targets = find_targets()
    if not targets:
        sys.exit("no CPython was found that the plugin can be built for")
    results = []
    print(row(HEAD), flush=True)
    for target in targets:
        results.append(try_target(target))
        print(result_row(results[-1]), flush=True)
    failed = [result for result in results if result.failures]
    for result in failed:
        print(f"\n{result.target.name}:")
        for failure in result.failures:
            print(f"  {failure}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
