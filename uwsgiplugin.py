"""Build description for `uwsgi --build-plugin DIR`; also builds the gateway program.

uWSGI executes this file with an empty namespace, in the directory that receives the result:
cloudprofiler_plugin.so (made by uWSGI from the names below) and cloudprofiler-gateway (made
here). The interpreter that runs it ($PYTHON) decides which CPython the plugin is built for.

SPDX-License-Identifier: MIT
"""

import glob
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

HEADERS_FROM_UWSGI = os.path.join(".uwsgi_plugins_builder", "uwsgi.h")
GENERATED_DIR = os.path.join("build", "generated")
GATEWAY_PROGRAM = "cloudprofiler-gateway"
DEBIAN_PACKAGES = (
    "python3-dev protobuf-c-compiler libprotobuf-c-dev zlib1g-dev libcurl4-openssl-dev"
    " libjansson-dev libssl-dev libmicrohttpd-dev libelf-dev"
)

# The gateway handles data that a hostile app may have written: the usual hardening.
GATEWAY_CFLAGS = (
    "-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -pthread -fvisibility=hidden -fPIE"
    " -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection"
).split()
GATEWAY_LDFLAGS = "-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed".split()
GATEWAY_LIBS = ["-lprotobuf-c", "-lz", "-lcurl", "-ljansson", "-lcrypto", "-lmicrohttpd", "-lelf"]


def stop(message):
    sys.exit("[cloudprofiler] cannot build: " + message)


def source_directory():
    """Where this file lies. Only the caller's local variable `path` knows it: the code has no
    __file__, and its own file name is '<string>' in uWSGI 2.0."""
    frame = sys._getframe()
    while frame is not None:
        candidate = frame.f_locals.get("path")
        if isinstance(candidate, str) and os.path.isfile(
            os.path.join(candidate, "shared/base/config.h")
        ):
            return os.path.abspath(candidate)
        frame = frame.f_back
    return os.getcwd()


def sources_under(root, *patterns):
    """Paths relative to root, sorted, so that every build sees the same order."""
    found = []
    for pattern in patterns:
        found += glob.glob(os.path.join(root, pattern), recursive=True)
    return sorted(os.path.relpath(path, root) for path in found)


def fnv1a_64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


def uwsgi_hash():
    """Names the uWSGI that this build is for: its uwsgi.h and the -DUWSGI_* flags that decide
    how its structures look. plugin/host/abi.c computes the same of the uWSGI that runs."""
    cflags = os.environ.get("UWSGI_PLUGINS_BUILDER_CFLAGS")
    if cflags is None or not os.path.isfile(HEADERS_FROM_UWSGI):
        stop(
            "uWSGI's headers are not here. Build with `PYTHON=python3 uwsgi --build-plugin DIR`"
            " of the uWSGI that will load the plugin; a build inside uWSGI's own source tree is"
            " not supported."
        )
    with open(HEADERS_FROM_UWSGI, "rb") as header:
        data = header.read().rstrip(b"\0 \t\n\v\f\r")
    defines = sorted({token for token in cflags.split() if token.startswith("-DUWSGI_")})
    return fnv1a_64(data + "".join(token + "\n" for token in defines).encode())


def check_python(root):
    name = "cpython_%d%d.h" % sys.version_info[:2]
    versions = os.path.join(root, "plugin", "python", "versions")
    if not os.path.isfile(os.path.join(versions, name)):
        known = sorted(glob.glob(os.path.join(versions, "cpython_*.h")))
        stop(
            "CPython %d.%d (%s) is not supported. Supported: %s. PYTHON=... chooses the"
            " interpreter; it must be the one that uWSGI embeds."
            % (sys.version_info[:2] + (sys.executable, ", ".join(map(spoken_version, known))))
        )

    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        stop(
            "%s is a free-threaded build of CPython %d.%d, which is not supported."
            " PYTHON=... chooses the interpreter; it must be the one that uWSGI embeds."
            % ((sys.executable,) + sys.version_info[:2])
        )


def spoken_version(path):
    digits = os.path.basename(path)[len("cpython_") : -len(".h")]
    return digits[0] + "." + digits[1:]


def python_include_flags():
    directories = sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")})
    if not any(os.path.isfile(os.path.join(each, "Python.h")) for each in directories):
        stop(
            "Python.h of %s is missing (looked in %s). Debian: apt-get install python3-dev"
            % (sys.executable, ", ".join(directories))
        )
    return ["-I" + shlex.quote(each) for each in directories]


def run(command):
    print(" ".join(shlex.quote(word) for word in command))
    sys.stdout.flush()
    if subprocess.call(command) != 0:
        stop("this command failed: %s ... (Debian packages: %s)" % (command[0], DEBIAN_PACKAGES))


def with_run_paths(flags):
    """The gateway starts without LD_LIBRARY_PATH: what it is linked with from other places than
    the system's has to be found by the program itself."""
    places = [flag[2:] for flag in flags if flag.startswith("-L/")]
    return flags + ["-Wl,-rpath," + place for place in places]


def build_gateway(root):
    protoc = shutil.which("protoc-c")
    if protoc is None:
        stop("protoc-c is missing. Debian: apt-get install " + DEBIAN_PACKAGES)
    os.makedirs(GENERATED_DIR, exist_ok=True)
    proto = os.path.join(root, "proto")
    run([protoc, "-I" + proto, "--c_out=" + GENERATED_DIR, os.path.join(proto, "profile.proto")])

    sources = sources_under(root, "gateway/**/*.c", "shared/*/*.c")
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    unfinished = GATEWAY_PROGRAM + ".new"
    run(
        compiler
        + GATEWAY_CFLAGS
        + shlex.split(os.environ.get("CFLAGS", ""))
        + ["-isystem", GENERATED_DIR, "-o", unfinished]
        + [os.path.join(root, source) for source in sources]
        + [os.path.join(GENERATED_DIR, "profile.pb-c.c")]
        + GATEWAY_LDFLAGS
        + with_run_paths(shlex.split(os.environ.get("LDFLAGS", "")))
        + GATEWAY_LIBS
    )
    # A gateway that runs keeps its old file; a failed build leaves the old program in place.
    os.replace(unfinished, GATEWAY_PROGRAM)


ROOT = source_directory()
UWSGI_HASH = uwsgi_hash()
check_python(ROOT)

NAME = "cloudprofiler"
GCC_LIST = sources_under(ROOT, "plugin/**/*.c", "shared/*/*.c")
CFLAGS = [
    "-D_GNU_SOURCE",
    "-std=gnu11",
    "-fvisibility=hidden",
    "-pthread",
    "-DCPROF_UWSGI_HASH=0x%016xULL" % UWSGI_HASH,
] + python_include_flags()
LDFLAGS = ["-Wl,-z,relro,-z,now", "-Wl,--as-needed"]
LIBS = []

# uWSGI compiles the plugin when this file is through. It builds one file and has no place to name
# another, so that the second program is made here.
build_gateway(ROOT)
