"""What asking for all stacks again and again costs the app: latency of a Flask page as wrk measures
it, with a client that asks for /debug/pprof/stacks without a pause and without one, by turns.

usage: bench/latency.py [PAIRS [SECONDS]]   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import re
import statistics
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from testenv.endpoint import TOKEN, Endpoint
from testenv.uwsgi import running

CONNECTIONS = 8  # as many as the two workers have threads
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
ADDRESS = re.compile(r"bound to TCP address (127\.0\.0\.1:\d+)")


class Asking:
    """Asks for the stacks in the background until the block ends."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.times = 0

    def _ask(self):
        while not self._ended.is_set():
            answer = self._endpoint.ask("/debug/pprof/stacks")
            assert answer.status == 200 and "worker 2" in answer.text, answer.text
            self.times += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def wrk(url, seconds):
    """Percentile to milliseconds, and "rate" to requests a second."""
    said = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    found = {
        int(percent): float(number) * UNITS_MS[unit]
        for percent, number, unit in re.findall(r"^ +(\d+)% +([\d.]+)(us|ms|s)$", said, re.M)
    }
    found["rate"] = float(re.search(r"Requests/sec: +([\d.]+)", said).group(1))
    return found


def measure(server, pairs, seconds):
    endpoint = Endpoint(server)
    url = f"http://{server.wait_for_log(ADDRESS.pattern)[0]}/pid"
    alone, beside, times = [], [], 0
    wrk(url, seconds)  # the first run warms up
    for pair in range(pairs):
        for with_stacks in (pair % 2 == 0, pair % 2 != 0):
            if with_stacks:
                with Asking(endpoint) as asking:
                    beside.append(wrk(url, seconds))
                times += asking.times
            else:
                alone.append(wrk(url, seconds))
    return alone, beside, times


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def report(alone, beside, times, seconds):
    ratios = [b[99] / a[99] for a, b in zip(alone, beside, strict=True)]
    print(
        f"latency of a Flask page, 2 workers of 4 threads, {len(alone)} pairs of {seconds} s, with "
        f"{times / len(beside) / seconds:.1f} dumps of all stacks a second and without:"
    )
    for name, runs in (("without", alone), ("with", beside)):
        print(
            f"  {name:8} p50 {median(runs, 50):.2f} ms, p99 {median(runs, 99):.2f} ms, "
            f"{median(runs, 'rate'):.0f} requests a second"
        )
    print(
        f"  p99 with / without: {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with running(
        app="flask_shop",
        processes=2,
        threads=4,
        add_header="Connection: close",  # else wrk takes the end of each for an error
        http_socket=["%d/http.sock", "127.0.0.1:0"],
        cloudprofiler_output_interval=3600,
        cloudprofiler_http="127.0.0.1:0",
        cloudprofiler_http_token=TOKEN,
    ) as server:
        server.wait_for_first_profile()
        report(*measure(server, pairs, seconds), seconds)


if __name__ == "__main__":
    main()
