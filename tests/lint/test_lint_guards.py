"""Each guard of `make lint` that is our own fails when its rule is broken on purpose.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from testenv.build import build_plugin_alone

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", "venv", "asan", "tsan", "unit", "__pycache__", ".ruff_cache")
SECONDS = 300


@pytest.fixture
def tree(tmp_path):
    """A copy of the tree with its times, so that make compiles only what a test changes."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return copy


def lint(tree, *targets):
    """Runs targets of the copy's own Makefile; returns the status and all that was printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    result = subprocess.run(
        ["make", "--no-print-directory", *targets],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return result.returncode, result.stdout


def append(path, text):
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def signal_safe_file(tree):
    path = tree / "shared/segment/log_writer.c"
    assert "SIGSAFE FILE" in path.read_text(encoding="utf-8").splitlines()[0]
    return path


def test_the_unbroken_tree_passes_all_guards(tree):
    status, output = lint(tree, "lint-sigsafe", "lint-layers", "lint-banned", "lint-binary")

    assert status == 0, output
    assert output.count("rule:") == 7


def test_malloc_in_a_signal_safe_file_is_refused(tree):
    append(
        signal_safe_file(tree),
        "#include <stdlib.h>\nvoid *cprof_broken(void);\n"
        "void *cprof_broken(void)\n{\n    return malloc(32);\n}\n",
    )

    status, output = lint(tree, "lint-sigsafe")

    assert status != 0
    assert "shared/segment/log_writer.c: imports malloc" in output


def test_a_signal_safe_file_may_not_call_an_unsafe_file_of_ours(tree):
    append(
        signal_safe_file(tree),
        '#include "../base/log.h"\nvoid cprof_broken(void);\n'
        'void cprof_broken(void)\n{\n    cprof_notice("broken");\n}\n',
    )

    status, output = lint(tree, "lint-sigsafe")

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
    append(tree / file, line + "\n")

    status, output = lint(tree, "lint-layers")

    assert status != 0
    assert f"{file}:" in output and message in output


def test_callers_that_are_named_by_file_are_refused(tree):
    header = tree / "gateway/top.h"
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace(" * Callers   ", " * Callers   main.c: ", 1), encoding="utf-8")

    status, output = lint(tree, "lint-layers")

    assert status != 0
    assert "gateway/top.h: its callers are named by file" in output


def test_a_room_may_not_be_listed_below_what_it_includes(tree):
    table = tree / "tools/layers"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace('"shared/base": []', '"shared/base": ["plugin/tags"]', 1))

    status, output = lint(tree, "lint-layers")

    assert status != 0
    assert "plugin/tags does not stand above shared/base" in output


@pytest.mark.parametrize(
    ("file", "call"),
    [
        ("shared/base/error.c", "strcpy(to, from)"),
        ("shared/segment/segment.c", "abort ()"),
        ("shared/segment/segment.c", "exit(1)"),
        ("gateway/main.c", "atoi(text)"),
    ],
)
def test_a_banned_call_is_refused(tree, file, call):
    append(tree / file, f"int broken = {call};\n")

    status, output = lint(tree, "lint-banned")

    assert status != 0
    assert f"{file}:" in output and call in output


def test_a_banned_word_in_a_comment_is_no_call(tree):
    append(tree / "shared/segment/segment.c", "/* abort() and exit(1) are not called. */\n")

    status, output = lint(tree, "lint-banned")

    assert status == 0, output


def test_a_second_exported_symbol_is_refused(tree):
    build_plugin_alone(tree / "uwsgiplugin.py")
    append(
        tree / "shared/base/error.c",
        '__attribute__((visibility("default"))) int cprof_broken(void);\n'
        "int cprof_broken(void)\n{\n    return 1;\n}\n",
    )

    status, output = lint(tree, "lint-binary")

    assert status != 0
    assert "cloudprofiler_plugin.so exports: cloudprofiler_plugin cprof_broken" in output


def test_a_library_beside_libc_is_refused(tree):
    build_plugin_alone(tree / "uwsgiplugin.py")
    append(tree / "uwsgiplugin.py", 'LIBS = ["-Wl,--no-as-needed", "-lz"]\n')

    status, output = lint(tree, "lint-binary")

    assert status != 0
    assert "cloudprofiler_plugin.so needs: libz.so.1" in output


def test_an_outdated_list_of_options_is_refused(tree):
    append(tree / "docs/options.md", "| `cloudprofiler-invented` | nothing |\n")

    status, output = lint(tree, "lint-docs")

    assert status != 0
    assert "-| `cloudprofiler-invented` | nothing |" in output


def test_a_document_that_differs_from_the_layout_is_refused(tree):
    document = tree / "docs/shared-memory.md"
    text = document.read_text(encoding="utf-8")
    changed = text.replace("| 36 | 2 | depth |", "| 36 | 4 | depth |")
    assert changed != text
    document.write_text(changed, encoding="utf-8")

    status, output = lint(tree, "lint-layout")

    assert status != 0
    assert "static assertion failed" in output and "| 36 | 4 | depth |" in output
