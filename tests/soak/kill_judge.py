"""Judges a server's life under kills and reloads: which failed requests nothing explains, and what
the profiles miss or say wrongly.

SPDX-License-Identifier: MIT
"""

import math
import re
import time
from collections import Counter

from kill_clients import WORK_NS
from kill_events import (
    CHEAPED,
    CUTTING,
    EXECUTING,
    MULE_BORN,
    NO_MERCY,
    RELOADS,
    SPOOLER_BORN,
    Event,
)
from testenv.profiles import KINDS
from testenv.uwsgi import CRASH, WORKER_BORN

OWN_FUNCTION = re.compile(r"own_function_of_(\d+)")
OWN_FILE = "own.py"
SHOWN_NO_MERCY = re.compile(
    r"^(.*) - worker (\d+) \(pid: (\d+)\) is taking too much time to die", re.MULTILINE
)
WORKER_ENDED = re.compile(
    r"^worker (\d+) killed successfully \(pid: (\d+)\)|^uWSGI worker (\d+) cheaped\.", re.MULTILINE
)
WORKER_DIED = re.compile(r"^DAMN ! worker \d+ \(pid: (\d+)\) died", re.MULTILINE)
# With threads, uWSGI 2.0 follows a null pointer when a worker is told to reload before its threads
# have started, with a profiler and without.
TOLD_WHILE_STARTING = re.compile(
    r"^!!! uWSGI process (\d+) got Segmentation Fault !!!\n\*\*\* backtrace of \1 \*\*\*\n"
    r".*uwsgi_backtrace.*\n.*uwsgi_segfault.*\n.*\n.*\(gracefully_kill\+",
    re.MULTILINE,
)
PID = re.compile(r"\bprocess (\d+) |\(pid: (\d+)\)")

SIGMAS = 3

# From an event, or the end of a reload in which it fell, to the beginning of the next window that
# has samples, on a machine that may be busy.
NEXT_WINDOW_S = 15.0
# In windows, of a worker that is in no profile: threads are found within a tenth of a second.
UNSEEN_WORK_NS = 1_000_000_000


def without_mercy(log):
    """The workers that uWSGI killed itself, as events.

    With threads, uWSGI 2.0 waits for a worker's other threads in the handler of the signal that
    tells it to reload, and a handler that interrupts Python holds the GIL that they need. The log
    gives the whole second in which it happened.
    """
    return [
        Event(NO_MERCY, time.mktime(time.strptime(moment, "%a %b %d %H:%M:%S %Y")), int(pid), slot)
        for moment, slot, pid in SHOWN_NO_MERCY.findall(log)
    ]


def cheaped(log, last_answers):
    """The workers that uWSGI ended since there were too many, as events; `last_answers` are the
    moments of each process's last answer, since the log gives no moment.

    With threads, uWSGI 2.0 ends such a worker when its first thread is out of work, and does not
    wait for the others.
    """
    events, last = [], {}
    for ended, pid, slot in WORKER_ENDED.findall(log):
        if slot:
            gone = last.get(slot)
            events.append(Event(CHEAPED, last_answers.get(gone, 0.0), gone, slot))
        else:
            last[ended] = int(pid)
    return events


def with_deaths(events, deaths):
    """The events, each with the moment when its victim was gone, where that is known."""
    return [event._replace(until=deaths.get(event.pid, event.until)) for event in events]


def is_settled(log, lost, is_alive):
    """Whether the log has the end of each worker that ended: of those that are gone, and of `lost`,
    the processes whose answers were cut."""
    ended = {int(pid) for _, pid, _ in WORKER_ENDED.findall(log) if pid}
    ended |= {int(pid) for pid in WORKER_DIED.findall(log)}
    newest = {
        first or again: int(first_pid or again_pid)
        for first, first_pid, again, again_pid in WORKER_BORN.findall(log)
    }
    return all(pid in ended or (pid not in lost and is_alive(pid)) for pid in newest.values())


def crashes(log):
    """The log's lines about crashes, and how many processes crashed by uWSGI's own fault, whose
    lines are left out."""
    own = set(TOLD_WHILE_STARTING.findall(log))

    def is_own(line):
        match = PID.search(line)
        return match is not None and (match[1] or match[2]) in own

    lines = [line for line in log.splitlines() if CRASH.search(line) and not is_own(line)]
    return lines, len(own)


def is_more_often(found, tries, base_found, base_tries):
    """Whether something happened more often than in the base, beyond chance; one is granted.
    Without a try on either side there is nothing to compare."""
    if not tries or not base_tries:
        return False
    part = (found + base_found) / (tries + base_tries)
    deviation = math.sqrt(part * (1 - part) * (1 / tries + 1 / base_tries))
    return (found - 1) / tries > base_found / base_tries + SIGMAS * deviation


def reloads_without_mercy(events, workers):
    """How many workers uWSGI killed in reloads, and how many it told to reload."""
    kinds = Counter(event.kind for event in events)
    return kinds[NO_MERCY], max(kinds[NO_MERCY], workers * sum(kinds[kind] for kind in RELOADS))


def cuts_by(kinds, cuts, events, threads):
    """How many requests the events of some kinds cut, and how many they could."""
    could = threads * sum(event.kind in kinds for event in events)
    return sum(count for event, count in cuts.items() if event.kind in kinds), could


def may_have_cut(event, failure):
    """Whether the event explains why the request failed. A reload explains no answer that was cut:
    uWSGI 2.0 ends a worker that has just accepted a connection, before it counts as a request
    (tests/assumptions/reload_resets_a_request_just_accepted.py)."""
    if event.kind not in (*CUTTING, *RELOADS) or event.moment > failure.ended:
        return False
    if failure.pid is None:
        return failure.began <= event.until
    return failure.pid == event.pid


def sort_failures(failures, events, threads):
    """How many requests each event cut, and the failures that no event explains: a worker that is
    killed loses at most one request for each of its threads. A reload is granted no more, and only
    what no kill explains."""
    cuts, unexplained = Counter(), []
    events = sorted(events, key=lambda event: event.kind in RELOADS)
    # Those that know whom they lost come first.
    for failure in sorted(failures, key=lambda one: one.pid is None):
        found = [e for e in events if may_have_cut(e, failure) and cuts[e] < threads]
        if found:
            cuts[found[0]] += 1
        else:
            unexplained.append(failure)
    return cuts, unexplained


def slots_of_processes(log):
    """The slot of each process that ever was, by its pid."""
    slots = {}
    for first, first_pid, again, again_pid in WORKER_BORN.findall(log):
        slots[int(first_pid or again_pid)] = first or again
    for number, pid in MULE_BORN.findall(log):
        slots[int(pid)] = f"mule {number}"
    for pid in SPOOLER_BORN.findall(log):
        slots[int(pid)] = "spooler 1"
    return slots


def began(profile):
    return profile.message.time_nanos / 1e9


def ended(profile):
    return began(profile) + profile.message.duration_nanos / 1e9


def gap_after(moment, slot, profiles):
    """Seconds from the moment to the next window that shows what it should: a sample, and where
    `slot` is one's name, one of it; None: never."""
    for profile in profiles:  # oldest first
        if began(profile) < moment or not profile.samples:
            continue
        if not slot or slot in profile.label_values("worker"):
            return began(profile) - moment
    return None


def over_at(event, events):
    """When there may be windows again. uWSGI ends the gateway as such a reload begins, which then
    waits for the workers, up to their mercy; a new gateway comes with the new master."""
    waits = [e for e in events if e.kind in EXECUTING and e.moment <= event.moment <= e.until]
    return max((e.until for e in waits), default=event.moment)


def gaps(events, profiles):
    """The longest gap, and what there is to complain of."""
    longest, complaints = 0.0, []
    for kind in KINDS:
        of_kind = sorted((one for one in profiles if one.kind == kind), key=began)
        for event in (one for one in events if one.kind != CHEAPED):
            # Of a mule or spooler that was killed its successor is to be seen.
            slot = event.slot if not event.slot.isdigit() else ""
            gap = gap_after(over_at(event, events), slot, of_kind)
            if gap is None or gap > NEXT_WINDOW_S:
                complaints.append(f"{kind} profiles after {event}: {gap} s")
            longest = max(longest, gap or 0.0)
    return longest, complaints


def strangers(profiles, slots):
    """Functions that bear a pid, in the slot of another process."""
    found = set()
    for profile in profiles:
        for sample in profile.samples:
            for frame in sample.frames:
                match = OWN_FUNCTION.fullmatch(frame.name)
                if match and slots.get(int(match[1])) != sample.labels.get("worker"):
                    found.add(f"{frame.name} in {sample.labels} in {profile.path.name}")
                elif (frame.file == OWN_FILE) != bool(match):
                    found.add(f"{frame} in {profile.path.name}")
    return sorted(found)


def unseen(work, profiles):
    """Processes that worked a lot in CPU windows and are in none of their profiles; `work` are the
    answers. Work in an executing reload, when there is no gateway, is in no window."""
    windows = [one for one in profiles if one.kind == "cpu"]
    seen = set().union(*(one.functions() for one in windows))
    spans = [(began(one), ended(one)) for one in windows]
    sampled = Counter(
        one.pid
        for one in work
        if any(begin <= one.began and one.ended <= end for begin, end in spans)
    )
    return [
        f"process {pid} worked {count * WORK_NS / 1e9:.1f} s in windows and is in no profile"
        for pid, count in sampled.items()
        if count * WORK_NS > UNSEEN_WORK_NS and f"own_function_of_{pid}" not in seen
    ]
