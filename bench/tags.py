"""What the module cloudprofiler costs the app: setting and restoring one tag, next to an empty
context manager, in a worker with and without a window of sampling.

usage: bench/tags.py   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from testenv.uwsgi import QUICK, running

LIMIT_NS = 1000
LIMITED = "with tag(route=...)"
APP = Path(__file__).parent / "app" / "tag_cost.py"
FORMS = {
    "in a window": QUICK,
    "outside": {"cloudprofiler_output_interval": 3600},
}


def medians(options):
    with running(processes=1, threads=2, wsgi_file=APP, **options) as server:
        if options is not QUICK:
            server.wait_for_window()
            server.wait_for_window(is_open=False)
        found = json.loads(server.get("/cost"))
    return {name: statistics.median(ns) for name, ns in found.items()}


def main():
    found = {form: medians(options) for form, options in FORMS.items()}
    print("tags set by the app, median nanoseconds:")
    print(f"  {'':26}" + "".join(f"{form:>14}" for form in found))
    for way in next(iter(found.values())):
        print(f"  {way:26}" + "".join(f"{ns[way]:14.0f}" for ns in found.values()))
    worst = max(ns[LIMITED] for ns in found.values())
    verdict = "within" if worst < LIMIT_NS else "OVER"
    print(f"  {LIMITED}: {verdict} the limit of {LIMIT_NS} ns")
    sys.exit(worst >= LIMIT_NS)


if __name__ == "__main__":
    main()
