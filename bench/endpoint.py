"""What the local endpoint costs while nobody asks: CPU time and memory of the gateway, wake-ups of
the workers, with the endpoint and without it.

usage: bench/endpoint.py [SECONDS]   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from testenv import processes
from testenv.endpoint import TOKEN, Endpoint
from testenv.uwsgi import running

CPU_LIMIT = 0.001  # of a core
DIRTY_LIMIT_KIB = 8 * 1024
FORMS = {
    "with the endpoint": {
        "cloudprofiler_http": "127.0.0.1:0",
        "cloudprofiler_http_token": TOKEN,
    },
    "without it": {},
}


def ticker_switches(server):
    return sum(processes.tickers(pid)[0].voluntary_switches() for pid in server.workers().values())


def measure(options, seconds):
    with running(cloudprofiler_output_interval=3600, **options) as server:
        server.wait_for_first_profile()
        if options:
            endpoint = Endpoint(server)
            assert endpoint.ask("/debug/pprof/wall?seconds=1").status == 200
            assert endpoint.ask("/profiles/1?format=top").status == 200
            endpoint.status()
        gateway = server.gateway()
        cpu_ns, switches = processes.cpu_ns(gateway), ticker_switches(server)
        time.sleep(seconds)  # the span that is measured
        return (
            (processes.cpu_ns(gateway) - cpu_ns) / 1e9 / seconds,
            ticker_switches(server) - switches,
            processes.private_dirty_kib(gateway),
        )


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    found = {form: measure(options, seconds) for form, options in FORMS.items()}
    print(f"the gateway while nobody asks, over {seconds} s:")
    for form, (cpu, wakes, dirty) in found.items():
        print(
            f"  {form:18} {100 * cpu:.4f} % of a core, {dirty} KiB private dirty, "
            f"{wakes} wake-ups of workers' tickers"
        )
    cpu, wakes, dirty = found["with the endpoint"]
    good = cpu < CPU_LIMIT and dirty <= DIRTY_LIMIT_KIB and wakes == 0
    print(f"  {'within' if good else 'OVER'} the limits: 0.1 % of a core, 8 MiB, no wake-up")
    sys.exit(not good)


if __name__ == "__main__":
    main()
