"""Burns CPU time in native code, in Python code, or not at all.

    /pid                 answers the worker's pid
    /zlib, /sha256       a hundred milliseconds or so in that library
    /pure                the same in Python
    /object?path=P       loads the shared object P once and burns in its function burn()
    /nap?path=P          sleeps half a second in a function of C that keeps the interpreter's lock

SPDX-License-Identifier: MIT
"""

import ctypes
import hashlib
import os
import zlib
from urllib.parse import parse_qs

NOISE = os.urandom(1 << 20)
OBJECTS = {}


def burn_zlib(query):
    # A checksum asks for no memory: compression has a share of it in the C library.
    for _ in range(100):
        zlib.adler32(NOISE)
    zlib.compress(NOISE[: 1 << 17], 6)


def burn_sha256(query):
    for _ in range(120):
        hashlib.sha256(NOISE).digest()


def burn_pure(query):
    count = 1_000_000
    while count:
        count -= 1


def burn_object(query):
    path = query["path"][0]
    if path not in OBJECTS:
        OBJECTS[path] = ctypes.CDLL(path)
    OBJECTS[path].burn(ctypes.c_long(100_000_000))


def nap_with_lock(query):
    ctypes.PyDLL(None).usleep(500_000)


PAGES = {
    "/zlib": burn_zlib,
    "/sha256": burn_sha256,
    "/pure": burn_pure,
    "/object": burn_object,
    "/nap": nap_with_lock,
}


def application(environ, start_response):
    page = PAGES.get(environ["PATH_INFO"])
    if page:
        page(parse_qs(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
