"""Reads profiles back with the reference proto, as somebody else's tool would.

SPDX-License-Identifier: MIT
"""

import gzip
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from typing import NamedTuple

from .build import SOURCE
from .wait import wait_for

KINDS = ("cpu", "wall")
NAMELESS = (("[unsampled]",), ("[other]",), ("[log full]",))


def load_proto(directory):
    """The Python module of proto/profile.proto, generated into `directory`."""
    proto = SOURCE / "proto" / "profile.proto"
    command = ["protoc", f"--proto_path={proto.parent}", f"--python_out={directory}", proto.name]
    subprocess.run(command, check=True, timeout=60)
    spec = importlib.util.spec_from_file_location("profile_pb2", directory / "profile_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Frame(NamedTuple):
    name: str
    file: str
    line: int


class Leaf(NamedTuple):
    """What a sample stood in beyond the interpreter."""

    name: str
    file: str
    build_id: str


@dataclass(frozen=True)
class Sample:
    frames: tuple  # of Frame, leaf first, without the native one
    count: int
    ns: int
    labels: dict
    leaf: Leaf | None = None

    def names(self):
        return tuple(frame.name for frame in self.frames)


class Profile:
    """Samples with their names looked up. Every reference of the file is followed, so that a
    dangling one raises here."""

    def __init__(self, samples, message=None, comments=(), path=None, kind="cpu"):
        self.samples = samples
        self.kind = kind
        self.message = message
        self.comments = list(comments)
        self.path = path

    @property
    def total_ns(self):
        return sum(sample.ns for sample in self.samples)

    @property
    def total_count(self):
        return sum(sample.count for sample in self.samples)

    def functions(self):
        return {frame.name for sample in self.samples for frame in sample.frames}

    def label_values(self, key):
        return {sample.labels.get(key) for sample in self.samples}

    def ns_of(self, name, flat=False):
        """Time with `name` on the stack, or on top of it."""
        return sum(s.ns for s in self.samples if name in (s.names()[:1] if flat else s.names()))

    def share(self, name, flat=False):
        return self.ns_of(name, flat) / self.total_ns if self.total_ns else 0.0

    def where(self, keep):
        """The part of the samples for which keep(sample) is true."""
        return Profile([sample for sample in self.samples if keep(sample)], kind=self.kind)

    def by_state(self):
        """Time by what the threads of a wall profile did, ns."""
        sums = {}
        for sample in self.samples:
            state = sample.labels["state"]
            sums[state] = sums.get(state, 0) + sample.ns
        return sums

    def comment(self, key):
        """The value of the one comment 'key: value'."""
        values = [c.split(":", 1)[1].strip() for c in self.comments if c.startswith(key + ":")]
        assert len(values) == 1, f"{len(values)} comments {key!r} in {self.comments}"
        return values[0]


def merged(profiles):
    """The samples of all profiles, which are of one kind."""
    profiles = list(profiles)
    kinds = {profile.kind for profile in profiles} or {"cpu"}
    assert len(kinds) == 1, kinds
    return Profile([s for profile in profiles for s in profile.samples], kind=kinds.pop())


def _assert_threads_are_named(samples):
    """A profile that names threads names the thread of each sample of a known one. What found no
    room is of several."""
    nameless = [one for one in samples if "thread" not in one.labels]
    if len(nameless) < len(samples):
        for sample in nameless:
            assert sample.names() in NAMELESS, sample


def _is_nowhere(name):
    """Whether a native frame is in no object file."""
    fixed = ("[vdso]", "[anonymous memory]", "[unknown]")
    return name in fixed or re.search(r"\[system call( \d+)?\]$", name) is not None


class ProfileReader:
    def __init__(self, directory):
        self._proto = load_proto(directory)

    def read(self, path):
        message = self._proto.Profile()
        message.ParseFromString(gzip.decompress(path.read_bytes()))
        text = message.string_table
        assert text[0] == ""
        types = [(text[t.type], text[t.unit]) for t in message.sample_type]
        kind = types[-1][0]
        assert kind in KINDS and types == [("sample", "count"), (kind, "nanoseconds")], types
        period = message.period_type
        assert (text[period.type], text[period.unit]) == types[-1]
        functions = {one.id: one for one in message.function}
        mappings = {one.id: one for one in message.mapping}
        locations = {
            one.id: [
                Frame(text[function.name], text[function.filename], line.line)
                for line in one.line
                for function in [functions[line.function_id]]
            ]
            for one in message.location
        }
        leaves = {}
        for one in message.location:
            mapping, (frame, *_) = mappings[one.mapping_id], locations[one.id]
            if mapping.filename or _is_nowhere(frame.name):
                leaves[one.id] = Leaf(frame.name, text[mapping.filename], text[mapping.build_id])
        samples = [
            Sample(
                frames=tuple(
                    frame
                    for ref in one.location_id
                    if ref not in leaves
                    for frame in locations[ref]
                ),
                count=one.value[0],
                ns=one.value[1],
                labels={text[label.key]: text[label.str] for label in one.label},
                leaf=leaves.get(one.location_id[0]),
            )
            for one in message.sample
        ]
        _assert_threads_are_named(samples)
        comments = [text[ref] for ref in message.comment]
        return Profile(samples, message, comments, path, kind)


def profile_files(directory, kind="cpu"):
    """The finished profiles of a kind in a directory, oldest first (the time is in the name)."""
    assert kind in KINDS, kind
    return sorted(directory.glob(f"{kind}-*.pb.gz"))


def wait_for_files(directory, more=1, seconds=30.0, kind="cpu"):
    """Waits for `more` files of a kind beyond those that are there now; returns the new ones."""
    before = set(profile_files(directory, kind))

    def new_files():
        new = [path for path in profile_files(directory, kind) if path not in before]
        return new if len(new) >= more else None

    return wait_for(new_files, f"{more} new {kind} profiles in {directory}", seconds)


def wall_file_of(path):
    """The wall profile of the window of which `path` is the CPU profile; it is written later."""
    wall = path.with_name(path.name.replace("cpu-", "wall-", 1))
    wait_for(wall.exists, f"{wall.name}")
    return wall
