"""The rules by which pprof itself judges a profile, and the encodings around it.

SPDX-License-Identifier: MIT
"""

import base64
import binascii
import functools
import tempfile
import zlib
from pathlib import Path

from google.protobuf.message import DecodeError
from testenv.profiles import load_proto

from .rules import refuse

PROFILE_BYTES_MAX = 256 << 20


@functools.lru_cache(maxsize=1)
def proto():
    """The reference proto's Python module."""
    with tempfile.TemporaryDirectory(prefix="cprof-proto-") as directory:
        return load_proto(Path(directory))


def decode_base64(text):
    """Standard alphabet, padded, in one line, as both official agents send it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        return refuse(f"profileBytes: {problem}")


def gunzip(data):
    """One whole gzip stream and nothing behind it."""
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(data, PROFILE_BYTES_MAX)
    except zlib.error as problem:
        refuse(f"profileBytes: {problem}")
    if not stream.eof or stream.unused_data:
        refuse("profileBytes: not one whole gzip stream")
    return content


def _ids(things, what):
    ids = [one.id for one in things]
    if 0 in ids:
        refuse(f"profileBytes: {what} with id 0")
    if len(set(ids)) != len(ids):
        refuse(f"profileBytes: {what} with an id that another has")
    return set(ids)


def _check_texts(message):
    """Every field that is an index into the string table."""
    count = len(message.string_table)

    def check(*indexes):
        if any(index < 0 or index >= count for index in indexes):
            refuse("profileBytes: an index outside of the string table")

    check(message.drop_frames, message.keep_frames, message.default_sample_type)
    check(message.period_type.type, message.period_type.unit, *message.comment)
    for one in message.sample_type:
        check(one.type, one.unit)
    for one in message.mapping:
        check(one.filename, one.build_id)
    for one in message.function:
        check(one.name, one.system_name, one.filename)
    for sample in message.sample:
        for label in sample.label:
            check(label.key, label.str, label.num_unit)


def _check_references(message):
    _ids(message.mapping, "mapping")
    functions = _ids(message.function, "function")
    locations = _ids(message.location, "location")
    for one in message.location:
        if any(line.function_id not in functions for line in one.line):
            refuse("profileBytes: a line of a function that is missing")
    for sample in message.sample:
        if len(sample.value) != len(message.sample_type):
            refuse("profileBytes: a sample with another number of values than there are types")
        if any(ref not in locations for ref in sample.location_id):
            refuse("profileBytes: a sample at a location that is missing")


def check(data):
    """The decoded message of gzip bytes, or ApiError."""
    content = gunzip(data)
    if not content:
        refuse("profileBytes: an empty profile")
    message = proto().Profile()
    try:
        message.ParseFromString(content)
    except DecodeError as problem:
        refuse(f"profileBytes: {problem}")
    if not message.string_table or message.string_table[0] != "":
        refuse("profileBytes: string_table[0] is not empty")
    if message.sample and not message.sample_type:
        refuse("profileBytes: samples without a sample_type")
    _check_texts(message)
    _check_references(message)
    return message
