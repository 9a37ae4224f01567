"""Profiles apps whose profile is known, and prints what was found beside the truth.

Ends with status 1 if a bound is broken. See cases.py for the cases and their bounds.

SPDX-License-Identifier: MIT
"""

import argparse
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cases
import report
from testenv import known
from testenv.build import build_plugin
from testenv.profiles import ProfileReader
from testenv.uwsgi import Uwsgi
from testenv.workspace import workspace_of_program

LOADS_MAX = 4  # of one case, each longer than the one before
SECONDS_MAX = 580  # a window has 600 at most
SAMPLES_MIN = 100


def load_case(case, seconds, directory, plugin_dir, reader):
    def make(**options):
        return Uwsgi(directory, plugin_dir, **options)

    server = known.make_server(make, case.app, case.form, seconds)
    try:
        known.start(server, case.perf_events)
        result = known.measure(server, reader, "/truth", case.form, seconds)
        server.stop()
    finally:
        server.end()
    assert result.timer_is_alone() != case.perf_events, result.profile.comment("engine")
    return result


def run_case(case, samples, workspace, plugin_dir, reader):
    """Loads for longer until the samples are enough: how fast the machine is, is not known. Only
    the number of samples decides, not what they say."""
    seconds = case.seconds(samples)
    for number in range(LOADS_MAX):
        seconds = min(seconds, SECONDS_MAX)
        print(f"{case.name}: {seconds:.0f} s", file=sys.stderr, flush=True)
        directory = workspace / f"{case.name}-{number}"
        result = load_case(case, seconds, directory, plugin_dir, reader)
        if not case.lacking(result, samples):
            break
        seconds = case.seconds_after(result, samples)
    return result


def run_windows(case, samples, workspace, plugin_dir, reader):
    """A case that looks at many windows, and at what they have in common."""
    numbers = itertools.count()

    def make(**options):
        return Uwsgi(workspace / f"{case.name}-{next(numbers)}", plugin_dir, **options)

    print(case.name, file=sys.stderr, flush=True)
    return case.run(make, reader, samples)


def run(chosen, samples, workspace):
    plugin_dir = build_plugin(workspace / "plugin")
    reader = ProfileReader(workspace)
    broken = []
    for case in chosen:
        if isinstance(case, cases.Case):
            result = run_case(case, samples, workspace, plugin_dir, reader)
            findings = case.judge(result, samples)
            report.print_case(case, result, findings)
        else:
            count, findings = run_windows(case, samples, workspace, plugin_dir, reader)
            report.print_windows(case, count, findings)
        broken += [finding for finding in findings if not finding.holds()]
    return broken


def sample_count(text):
    if not text.isdecimal() or int(text) < SAMPLES_MIN:
        raise argparse.ArgumentTypeError(f"a number from {SAMPLES_MIN} on is needed, not {text!r}")
    return int(text)


def arguments():
    names = [case.name for case in cases.CASES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--samples",
        type=sample_count,
        default=cases.DEFAULT_SAMPLES,
        help="that each case must reach (default: %(default)s); with fewer the bounds are wider",
    )
    parser.add_argument("names", nargs="*", metavar="CASE", help=f"of: {' '.join(names)}")
    found = parser.parse_args()
    unknown = set(found.names) - set(names)
    if unknown:
        parser.error(f"no such case: {' '.join(sorted(unknown))}; there are: {' '.join(names)}")
    return found


def main():
    asked = arguments()
    chosen = [case for case in cases.CASES if not asked.names or case.name in asked.names]
    with workspace_of_program("cprof-truth-") as workspace:
        report.print_head(asked.samples)
        broken = run(chosen, asked.samples, workspace)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
