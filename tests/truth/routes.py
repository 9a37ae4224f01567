"""Two routes whose requests take 2.1 and 0.9 ms of CPU time, less than one tick of the kernel: what
part of it is the first one's, by the app's own books. Once in user mode, once a third of it in
system calls, whose samples come from the timer also where there are perf events.

What the timer finds is reported: docs/engines.md says how far off it is, and why.

SPDX-License-Identifier: MIT
"""

from typing import NamedTuple

from finding import Finding
from testenv import bounds, known
from testenv.profiles import merged
from testenv.uwsgi import QUICK

PATHS = ("/burner/1", "/sleeper/2")
PERIOD_MS = 3
WINDOWS = 5  # read at a time
LOOPS = {"user": 4000, "calls": 200}


def by_books(bodies):
    sums = {"burner": 0, "sleeper": 0}
    for body in bodies:
        route, cpu_ns, _wall_ns = body.decode().split()
        sums[route] += int(cpu_ns)
    return sums["burner"] / sum(sums.values())


class Routes(NamedTuple):
    perf_events: bool
    mode: str

    @property
    def name(self):
        return f"routes-in-{self.mode}-{'perf' if self.perf_events else 'timer'}"

    def measure(self, make, reader, samples):
        server = make(
            app="two_routes",
            processes=2,
            threads=4,
            env={"LOOPS": str(LOOPS[self.mode])},
            cloudprofiler_period_ms=PERIOD_MS,
            cloudprofiler_output_keep=0,
            **QUICK,
        )
        try:
            known.start(server, self.perf_events)
            found = merged([])
            with server.load(PATHS, threads=8, seconds=600) as load:
                server.wait_for_profiles(2)  # they saw the start
                while found.total_count < samples:
                    paths = server.wait_for_profiles(WINDOWS, seconds=120)
                    found = merged([found, *(reader.read(path) for path in paths)])
            server.stop()
        finally:
            server.end()
        assert not load.failures, load.failures[:3]
        return found, by_books(load.bodies)

    def run(self, make, reader, samples):
        found, real = self.measure(make, reader, samples)
        sums = {name: found.ns_of(f"handle_{name}") for name in ("burner", "sleeper")}
        share, count = sums["burner"] / sum(sums.values()), found.total_count
        judged = self.perf_events and self.mode == "user"
        bound = bounds.share(real, count) if judged else None
        return count, [Finding(f"burner {share:.3f}", share - real, bound)]


CASES = [Routes(perf_events, mode) for perf_events in (True, False) for mode in LOOPS]
