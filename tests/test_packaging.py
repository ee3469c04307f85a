"""What the router says of where it runs is one thing everywhere, and its containers start."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from router.settings import NAMES, read_settings

ROOT = Path(__file__).parent.parent
COMPOSE = [ROOT / "compose.yaml", ROOT / "router" / "starter" / "files" / "compose.yaml"]
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


def image_environment() -> dict[str, str]:
    """The settings that the image brings."""
    return dict(re.findall(r"(ROUTER_\w+)=(\S+)", (ROOT / "Dockerfile").read_text("utf-8")))


def filled_in(text: str) -> str:
    """A compose file as it is with nothing set: `${NAME:-default}` is the default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("%%PORT%%", "8000")


@pytest.mark.parametrize("path", COMPOSE, ids=["the repository's", "the one init writes"])
def test_a_compose_file_starts_the_service(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    service = yaml.safe_load(filled_in(text))["services"]["router"]
    given = {"ROUTER_ADMIN_PASSWORD": "of .env"} if "env_file" in service else {}
    settings = read_settings(image_environment() | given | service["environment"], str)
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert "data:/data" in service["volumes"]
    assert settings.database_url.reveal() == "sqlite:////data/router.db"
    assert service["volumes"][0].endswith(f":{Path(settings.rules).parent}:ro")
    rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    others = [name for name in service["environment"] if not name.startswith("ROUTER_")]
    assert [name for name in others if f"${{{name}" not in rules] == []


@pytest.mark.parametrize("path", COMPOSE, ids=["the repository's", "the one init writes"])
def test_a_compose_file_names_nothing_like_a_setting_that_is_none(path: Path) -> None:
    # Who writes such a name into .env or exports it would be refused by the router itself.
    named = set(re.findall(r"ROUTER_[A-Z_]+", path.read_text(encoding="utf-8")))
    assert named - set(NAMES) == set()
