"""The stand-in judges profiles as pprof does.

SPDX-License-Identifier: MIT
"""

import gzip

import pytest

from . import pprof_rules
from .client import message, packed
from .errors import ApiError


def _without_types(profile):
    del profile.sample_type[:]


def _one_value(profile):
    del profile.sample[0].value[1:]


def _no_such_location(profile):
    profile.sample[0].location_id[0] = 9


def _no_such_function(profile):
    profile.location[0].line[0].function_id = 9


def _function_zero(profile):
    profile.location[0].line[0].function_id = 0


def _zero_id(profile):
    profile.function[0].id = 0


def _location_twice(profile):
    profile.location.add(id=1)


def _mapping_twice(profile):
    profile.mapping.add(id=1)
    profile.mapping.add(id=1)


def _text_outside(profile):
    profile.function[0].name = 99


def _negative_text(profile):
    profile.sample[0].label[0].key = -1


def _comment_outside(profile):
    profile.comment.append(99)


def _first_text(profile):
    profile.string_table[0] = "x"


def _no_texts(profile):
    del profile.string_table[:]


BROKEN = [
    _without_types,
    _one_value,
    _no_such_location,
    _no_such_function,
    _function_zero,
    _zero_id,
    _location_twice,
    _mapping_twice,
    _text_outside,
    _negative_text,
    _comment_outside,
    _first_text,
    _no_texts,
]


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__[1:])
def test_a_profile_that_pprof_would_refuse_is_refused(break_it, pprof, tmp_path):
    profile = message()
    break_it(profile)
    data = packed(profile)

    with pytest.raises(ApiError, match="profileBytes"):
        pprof_rules.check(data)

    file = tmp_path / "broken.pb.gz"
    file.write_bytes(data)
    with pytest.raises(AssertionError):
        pprof.run("-raw", file)


def _dangling_mapping(profile):
    profile.location[0].mapping_id = 7


def _no_samples(profile):
    del profile.sample[:]


def _no_lines(profile):
    del profile.location[0].line[:]


def _negative_value(profile):
    profile.sample[0].value[1] = -5


@pytest.mark.parametrize(
    "change",
    [_dangling_mapping, _no_samples, _no_lines, _negative_value, lambda _profile: None],
    ids=["dangling_mapping", "no_samples", "no_lines", "negative_value", "unchanged"],
)
def test_a_profile_that_pprof_reads_is_accepted(change):
    profile = message()
    change(profile)

    assert pprof_rules.check(packed(profile)) == profile


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message().SerializeToString(),
        packed(message())[:-1],
        packed(message()) + b"x",
        gzip.compress(b""),
        gzip.compress(b"\xff\xff\xff"),
    ],
    ids=["empty", "plain", "cut", "more", "nothing inside", "no proto"],
)
def test_bytes_that_are_no_gzipped_profile_are_refused(data):
    with pytest.raises(ApiError, match="profileBytes"):
        pprof_rules.check(data)
