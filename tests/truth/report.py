"""Lays out what was found.

SPDX-License-Identifier: MIT
"""

COLUMNS = "{:22} {:>7} {:>7} {:>7}  {}"


def print_head(samples):
    print(f"{samples} samples a case at least, a fifth of that for sums alone")
    print("'name share +error' in points of 1/100, ! is broken")
    print(COLUMNS.format("case", "samples", "CPU s", "req/s", "found"), flush=True)


def _finding(finding):
    mark = "" if finding.holds() else "!"
    bound = "reported only" if finding.bound is None else f"<= {100 * finding.bound:.1f}"
    return f"{mark}{finding.what} {100 * finding.off:+.2f} ({bound})"


def print_case(case, result, findings):
    print(
        COLUMNS.format(
            case.name,
            result.profile.total_count,
            f"{result.cpu_ns / 1e9:.1f}",
            f"{result.requests / result.seconds:.0f}",
            "; ".join(_finding(finding) for finding in findings),
        ),
        flush=True,
    )
    for line in result.profile.comments:
        print(f"    {line}")


def print_windows(case, samples, findings):
    print(
        COLUMNS.format(
            case.name, samples, "", "", "; ".join(_finding(finding) for finding in findings)
        ),
        flush=True,
    )
