"""Each guard of `make lint` that is our own fails when its rule is broken on purpose.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What no guard reads, most of what was built among it.
NOT_COPIED = {".git", ".ruff_cache", "__pycache__", ".uwsgi_plugins_builder", "cloudprofiler-web"}
COPIED_OF_BUILD = {"generated", "objects", "uwsgi", "toolchain", "build.log"}
BUILT = ("cloudprofiler_plugin.so", "cloudprofiler-gateway")
SECONDS = 300


def left_out(folder, names):
    if Path(folder) == ROOT / "build":
        return set(names) - COPIED_OF_BUILD
    return NOT_COPIED & set(names)


@pytest.fixture(scope="module")
def only_tree(tmp_path_factory):
    """A copy of the tree with its times, so that make compiles only what a test changes."""
    copy = tmp_path_factory.mktemp("lint") / "tree"
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


class Tree:
    """The copy for one test, which breaks it by append() and replace()."""

    def __init__(self, path):
        self.path = path
        self._changed = []

    def _write(self, file, text):
        (self.path / file).write_text(text, encoding="utf-8")
        self._changed.append(file)

    def read(self, file):
        return (self.path / file).read_text(encoding="utf-8")

    def append(self, file, text):
        self._write(file, self.read(file) + text)

    def replace(self, file, old, new):
        text = self.read(file)
        assert old in text
        self._write(file, text.replace(old, new, 1))

    def mend(self):
        """Brings back what was changed and what was built of it, with their times."""
        for file in (*self._changed, *BUILT):
            shutil.copy2(ROOT / file, self.path / file)
            (self.path / "build/objects" / file).with_suffix(".o").unlink(missing_ok=True)

    def lint(self, *targets):
        """Runs targets of the copy's own Makefile; returns the status and all that was printed."""
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
        result = subprocess.run(
            ["make", "--no-print-directory", *targets],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        return result.returncode, result.stdout


@pytest.fixture
def tree(only_tree):
    tree = Tree(only_tree)
    yield tree
    tree.mend()


def signal_safe_file(tree):
    file = "shared/segment/log_writer.c"
    assert "SIGSAFE FILE" in tree.read(file).splitlines()[0]
    return file


def test_the_unbroken_tree_passes_all_guards(tree):
    status, output = tree.lint("lint-sigsafe", "lint-layers", "lint-banned", "lint-binary")

    assert status == 0, output
    assert output.count("rule:") == 7


def test_malloc_in_a_signal_safe_file_is_refused(tree):
    tree.append(
        signal_safe_file(tree),
        "#include <stdlib.h>\nvoid *cprof_broken(void);\n"
        "void *cprof_broken(void)\n{\n    return malloc(32);\n}\n",
    )

    status, output = tree.lint("lint-sigsafe")

    assert status != 0
    assert "shared/segment/log_writer.c: imports malloc" in output


def test_a_signal_safe_file_may_not_call_an_unsafe_file_of_ours(tree):
    tree.append(
        signal_safe_file(tree),
        '#include "../base/log.h"\nvoid cprof_broken(void);\n'
        'void cprof_broken(void)\n{\n    cprof_notice("broken");\n}\n',
    )

    status, output = tree.lint("lint-sigsafe")

    assert status != 0
    assert "shared/segment/log_writer.c: imports cprof_notice" in output


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("shared/base/error.c", '#include "../segment/layout.h"', "shared/base may not include"),
        (
            "shared/segment/window.c",
            '#include "../../plugin/ground/machine.h"',
            "shared/segment may not include",
        ),
        ("shared/segment/window.c", "#include <uwsgi.h>", "may include uwsgi.h"),
        ("shared/segment/window.c", "#include <Python.h>", "may include Python.h"),
        ("gateway/main.c", '#include "profile.pb-c.h"', "may include profile.pb-c.h"),
        ("gateway/profile/lines.c", '#include "../main.h"', "gateway/profile may not include"),
    ],
)
def test_an_include_against_the_layers_is_refused(tree, file, line, message):
    tree.append(file, line + "\n")

    status, output = tree.lint("lint-layers")

    assert status != 0
    assert f"{file}:" in output and message in output


def test_callers_that_are_named_by_file_are_refused(tree):
    tree.replace("gateway/top.h", " * Callers   ", " * Callers   main.c: ")

    status, output = tree.lint("lint-layers")

    assert status != 0
    assert "gateway/top.h: its callers are named by file" in output


def test_a_room_may_not_be_listed_below_what_it_includes(tree):
    tree.replace("tools/layers", '"shared/base": []', '"shared/base": ["plugin/tags"]')

    status, output = tree.lint("lint-layers")

    assert status != 0
    assert "plugin/tags does not stand above shared/base" in output


def test_banned_calls_are_refused(tree):
    banned = [
        ("shared/base/error.c", "strcpy(to, from)"),
        ("shared/segment/segment.c", "abort ()"),
        ("shared/segment/segment.c", "exit(1)"),
        ("gateway/main.c", "atoi(text)"),
    ]
    for file, call in banned:
        tree.append(file, f"int broken = {call};\n")

    status, output = tree.lint("lint-banned")

    assert status != 0
    for file, call in banned:
        assert [line for line in output.splitlines() if f"{file}:" in line and call in line]


def test_a_banned_word_in_a_comment_is_no_call(tree):
    tree.append("shared/segment/segment.c", "/* abort() and exit(1) are not called. */\n")

    status, output = tree.lint("lint-banned")

    assert status == 0, output


def test_a_second_exported_symbol_and_a_library_beside_libc_are_refused(tree):
    # As make finds a plugin that was built of sources that do so.
    plugin = tree.path / "cloudprofiler_plugin.so"
    subprocess.run(
        ["gcc", "-shared", "-o", plugin, "-x", "c", "-", "-Wl,--no-as-needed", "-lz"],
        input="int cloudprofiler_plugin, cprof_broken;",
        text=True,
        check=True,
        timeout=60,
    )

    status, output = tree.lint("lint-binary")

    assert status != 0
    assert "cloudprofiler_plugin.so exports: cloudprofiler_plugin cprof_broken" in output
    assert "cloudprofiler_plugin.so needs: libz.so.1" in output


def test_an_outdated_list_of_options_is_refused(tree):
    tree.append("docs/options.md", "| `cloudprofiler-invented` | nothing |\n")

    status, output = tree.lint("lint-docs")

    assert status != 0
    assert "-| `cloudprofiler-invented` | nothing |" in output


def test_a_document_that_differs_from_the_layout_is_refused(tree):
    tree.replace("docs/shared-memory.md", "| 36 | 2 | depth |", "| 36 | 4 | depth |")

    status, output = tree.lint("lint-layout")

    assert status != 0
    assert "static assertion failed" in output and "| 36 | 4 | depth |" in output
