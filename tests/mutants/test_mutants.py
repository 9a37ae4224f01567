"""Each fault of `make mutants` fits the sources as they are, and names a test that exists.

SPDX-License-Identifier: MIT
"""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import edits
from mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_can_be_planted_and_its_test_exists(mutant):
    edit = edits.find(ROOT, mutant.function, mutant.old, mutant.new)
    file, _, name = mutant.test.partition("::")
    function, _, parameter = name.partition("[")

    assert edit.before == (ROOT / edit.path).read_text()
    assert edit.after != edit.before
    text = (ROOT / file).read_text()
    assert not function or re.search(rf"^def {function}\(", text, re.MULTILINE)
    if function == "test_unit":
        assert (ROOT / "tests" / "unit" / f"{parameter.rstrip(']')}.c").is_file()


def test_names_are_given_once():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_an_edit_that_does_not_fit_is_refused(tmp_path):
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "a.c").write_text("static int f(int a)\n{\n    return a + a;\n}\n")

    assert edits.find(tmp_path, "f", "return a", "return 2").after.endswith("return 2 + a;\n}\n")
    for function, old in ("g", "return a"), ("f", "return b"), ("f", "a"):
        with pytest.raises(edits.EditError):
            edits.find(tmp_path, function, old, "x")
