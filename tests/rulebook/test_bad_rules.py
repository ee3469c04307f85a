"""Golden files: every fault in a rules file, with the words that tell it.

A fault is a file, or a folder with a rules.yaml and what belongs to it. After a change of words:
`python tests/rulebook/test_bad_rules.py` writes them anew; read the diff.
"""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from router.delivery import formats, inspect
from router.problem import in_order, report
from router.rulebook import build, prove, read_files

FOLDER = Path(__file__).parent.parent / "bad_rules"
FAULTS = sorted(
    [path.stem for path in FOLDER.glob("*.yaml")] + [p.name for p in FOLDER.iterdir() if p.is_dir()]
)


@cache
def told(fault: str) -> str:
    """What `router check` says of a file, under the name rules.yaml."""
    folder = (FOLDER / fault).is_dir()
    before = Path.cwd()
    os.chdir(FOLDER / fault if folder else FOLDER)
    try:
        name = "rules.yaml" if folder else f"{fault}.yaml"
        files = read_files(name, "templates" if folder else None)
        built = build(
            files,
            environment={"SECRET": "a-secret-from-outside"},
            read_file=lambda path: Path(path).read_text(encoding="utf-8"),
            inspect_channel=inspect,
            outbound="live",
        )
        found = prove(built, formats)
    finally:
        os.chdir(before)
    text = report(in_order(found.problems), found.files, files.name, "so it is")
    return text.replace(f"{fault}.yaml", "rules.yaml") + "\n"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_these_words(fault: str) -> None:
    assert told(fault) == (FOLDER / f"{fault}.out").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS)
def test_no_words_of_python_and_no_secret_are_in_them(fault: str) -> None:
    text = told(fault)
    for word in ("Traceback", "NoneType", "dict", "str ", "pydantic", "hunter2", "a-secret-from"):
        assert word not in text
    assert "no problems" not in text


def test_every_mark_stands_under_something_of_the_readers_line() -> None:
    for fault in FAULTS:
        lines = told(fault).splitlines()
        for above, mark in pairwise(lines):
            _, bar, under = mark.partition("|")
            if bar and under.strip() and not under.strip(" ^"):
                start, end = mark.index("^"), mark.rindex("^") + 1
                assert end <= len(above) or not above[start:].strip(), fault


if __name__ == "__main__":
    for name in FAULTS:
        (FOLDER / f"{name}.out").write_text(told(name), encoding="utf-8")
