"""What full logs cost the gateway: its peak memory, and the longest time that it does not answer
/metrics.

usage: bench/full_logs.py [PROGRAM]   (part of `make bench`)

SPDX-License-Identifier: MIT
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from testenv.full_logs import SORTS, read_full_logs

MIB = 1 << 20
CASES = [("busy", 16, 4), ("busy", 1, 4), ("busy", 64, 4), *((sort, 1, 16) for sort in SORTS)]


def main():
    print("    Full logs: workers' (busy), and hand-written ones.")
    print("    logs    slots  MiB each  peak, MiB  before, MiB  longest silence, s  CPU, s")
    for sort, slots, log_mib in CASES:
        with tempfile.TemporaryDirectory(prefix="cprof-") as directory:
            try:
                found = read_full_logs(
                    Path(directory), sort, slots, log_mib, program=(sys.argv[1:] or [None])[0]
                )
            except AssertionError as error:
                print(f"    {sort:7} {slots:5} {log_mib:9}  {error}")
                continue
        print(
            f"    {sort:7} {slots:5} {log_mib:9} {found.peak_bytes / MIB:10.1f}"
            f" {found.idle_peak_bytes / MIB:12.1f} {found.longest_s:19.3f} {found.cpu_s:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
