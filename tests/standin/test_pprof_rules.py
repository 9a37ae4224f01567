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
    del profile.sample[0].value[:]


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


BROKEN = {
    _without_types: "without a sample_type",
    _one_value: "number of values",
    _no_such_location: "location that is missing",
    _no_such_function: "function that is missing",
    _function_zero: "function that is missing",
    _zero_id: "id 0",
    _location_twice: "id that another has",
    _mapping_twice: "id that another has",
    _text_outside: "outside of the string table",
    _negative_text: "outside of the string table",
    _comment_outside: "outside of the string table",
    _first_text: r"string_table\[0\]",
    _no_texts: r"string_table\[0\]",
}


@pytest.mark.parametrize(
    ("break_it", "words"), BROKEN.items(), ids=[one.__name__[1:] for one in BROKEN]
)
def test_a_profile_that_pprof_would_refuse_is_refused(break_it, words, pprof, tmp_path):
    profile = message()
    break_it(profile)
    data = packed(profile)

    with pytest.raises(ApiError, match=words):
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
    ("spoil", "words"),
    [
        (lambda _data: b"", "whole gzip stream"),
        (gzip.decompress, "incorrect header"),
        (lambda data: data[:-1], "whole gzip stream"),
        (lambda data: data + b"x", "whole gzip stream"),
        (lambda _data: gzip.compress(b""), "an empty profile"),
        (lambda _data: gzip.compress(b"\xff\xff\xff"), "parsing"),
    ],
    ids=["empty", "plain", "cut", "more", "nothing inside", "no proto"],
)
def test_bytes_that_are_no_gzipped_profile_are_refused(spoil, words):
    with pytest.raises(ApiError, match=words):
        pprof_rules.check(spoil(packed(message())))
