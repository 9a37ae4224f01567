"""Profiles apps whose profile is known, and prints what was found beside the truth.

Ends with status 1 if a bound is broken. See cases.py for the cases and their bounds.

SPDX-License-Identifier: MIT
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cases
import report
from testenv import known
from testenv.build import build_plugin
from testenv.profiles import ProfileReader
from testenv.uwsgi import Uwsgi


def run_case(case, samples, workspace, plugin_dir, reader):
    seconds = case.seconds(samples)

    def make(**options):
        return Uwsgi(workspace / case.name, plugin_dir, **options)

    server = known.make_server(make, case.app, case.form, seconds)
    try:
        known.start(server, case.perf_events)
        result = known.measure(server, reader, "/truth", case.form, seconds)
        server.stop()
    finally:
        server.end()
    assert result.timer_is_alone() != case.perf_events, result.profile.comment("engine")
    return result


def run(chosen, samples, workspace):
    plugin_dir = build_plugin(workspace / "plugin")
    reader = ProfileReader(workspace)
    broken = []
    for case in chosen:
        print(f"{case.name}: {case.seconds(samples):.0f} s", file=sys.stderr, flush=True)
        result = run_case(case, samples, workspace, plugin_dir, reader)
        findings = case.judge(result, samples)
        report.print_case(case, result, findings)
        broken += [finding for finding in findings if not finding.holds()]
    return broken


def arguments():
    names = [case.name for case in cases.CASES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000, help="that each case aims at")
    parser.add_argument("names", nargs="*", metavar="CASE", help=f"of: {' '.join(names)}")
    found = parser.parse_args()
    unknown = set(found.names) - set(names)
    if unknown:
        parser.error(f"no such case: {' '.join(sorted(unknown))}; there are: {' '.join(names)}")
    return found


def main():
    asked = arguments()
    chosen = [case for case in cases.CASES if not asked.names or case.name in asked.names]
    workspace = Path(tempfile.mkdtemp(prefix="cprof-truth-"))
    workspace.chmod(0o755)
    try:
        report.print_head(asked.samples)
        broken = run(chosen, asked.samples, workspace)
    finally:
        shutil.rmtree(workspace)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
