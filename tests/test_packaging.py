"""What the router says of where it runs is one thing everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pythons() -> list[str]:
    """The versions of Python that the package's classifiers name, the oldest first."""
    named = "\n".join(PROJECT["project"]["classifiers"])
    return re.findall(r"^Programming Language :: Python :: (3\.\d+)$", named, re.MULTILINE)


def test_every_place_that_names_pythons_names_the_same_ones() -> None:
    oldest, *others = pythons()
    newest = int(others[-1].removeprefix("3."))
    assert PROJECT["project"]["requires-python"] == f">={oldest},<3.{newest + 1}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert makefile.count(f"--python-version {oldest} ") == 2
    assert f"the router runs on Python {oldest} to 3.{newest}" in makefile
    assert f"({oldest.replace('.', ', ')}) <= sys.version_info[:2] <= (3, {newest})" in makefile
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`python3` ({oldest} to 3.{newest})" in readme


def test_the_image_is_made_of_a_python_that_is_supported() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ARG PYTHON_IMAGE=.*python:(3\.\d+)", dockerfile, re.MULTILINE)
    assert version in pythons()
