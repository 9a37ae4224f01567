"""What it costs to look at threads that sleep: the ticker's CPU time in wall windows at 100 Hz,
with 4, 16 and 64 blocked threads, unchanged and changing, beside an empty thread of the same
process that only sleeps at 100 Hz.

usage: bench/sleepers.py SLEEPER_LIBRARY SECONDS   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from testenv.profiles import ProfileReader, wait_for_files
from testenv.uwsgi import running

BLOCKED = (4, 16, 64)
# Above the empty thread, percent of a core, with 16 threads that never move.
LIMIT_PERCENT = 0.2
LIMIT_BLOCKED = 16

APP = Path(__file__).with_name("sleepers_app.py")


def percent_of_core(used_ns, of_ns):
    return 100.0 * used_ns / of_ns


def measure(server, seconds, reader):
    """The ticker's and the yardstick's part of a core, over one whole window that begins after
    the threads have settled down."""
    patience = 4 * seconds + 30
    wait_for_files(server.profiles, seconds=patience, kind="wall")
    first = [int(word) for word in server.get("/clocks").split()]
    path = wait_for_files(server.profiles, seconds=patience, kind="wall")[-1]
    last = [int(word) for word in server.get("/clocks").split()]
    profile = reader.read(path)
    ticker_ns = int(profile.comment("ticker cpu nanoseconds"))
    return (
        percent_of_core(ticker_ns, seconds * 1e9),
        percent_of_core(last[1] - first[1], last[0] - first[0]),
    )


def serve_and_measure(library, count, changing, seconds):
    with running(
        env={"BENCH_SLEEPER": str(library), "BENCH_BLOCKED": str(count)},
        processes=1,
        enable_threads="true",
        wsgi_file=APP,
        cloudprofiler_output_interval=seconds,
        cloudprofiler_output_duration=seconds,
    ) as server:
        assert server.get("/start") == "1"
        if changing:
            server.get("/changing")
        return measure(server, seconds, ProfileReader(server.directory))


def main():
    library, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    failed = False
    print(f"looks at sleeping threads, windows of {seconds} s, percent of a core:")
    print("  blocked  threads     ticker  empty thread  above it")
    for count in BLOCKED:
        for changing in (False, True):
            ticker, empty = serve_and_measure(library, count, changing, seconds)
            above = ticker - empty
            missed = count == LIMIT_BLOCKED and not changing and above > LIMIT_PERCENT
            failed |= missed
            print(
                f"  {count:7d}  {'changing' if changing else 'unchanged':9s}  {ticker:6.3f} %"
                f"  {empty:10.3f} %  {above:+7.3f} %"
                + (f"  more than {LIMIT_PERCENT} %" if missed else ""),
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
