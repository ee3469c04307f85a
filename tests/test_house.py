"""The house: imports go down one staircase, a library lives in one place, a file fits in a head."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "router"

# Each step may import from those before it, and nothing else of the router.
STAIRCASE = (
    *("problem", "duration", "secret", "condition", "calendar", "event", "message", "rules"),
    "identity",
    "settings",
    *("retry", "scheduler", "log_writer", "log", "metrics", "supervisor", "pools"),
    *("match", "render", "timing", "gate", "route", "said", "rehearse", "backtest"),
    *("ledger", "delivery", "rulebook"),
    *(
        "tries",
        "access",
        "loaded",
        "in_force",
        "accept",
        "lane",
        "observe",
        "watch",
        "attempt",
        "chores",
    ),
    *("senders", "sending", "clock", "worker", "rules_watch"),
    *("coverage", "graph", "view", "holds", "retold", "preview", "trial"),
    *("server", "mute", "send_test", "doctor", "readiness", "service"),
    "starter",
    *("web", "cli", "demo", "__main__"),
)
# Rooms of one floor do not know each other.
APART = ("ledger", "delivery", "rulebook")

ONE_PLACE = {
    "alembic": "ledger",
    "apprise": "delivery",
    "argon2": "access",
    "click": "cli",
    "httptools": "server",
    "jinja2": "render",
    "litestar": "web",
    "markdown_it": "render",
    "markupsafe": "render",
    "prometheus_client": "metrics",
    "psycopg": "ledger",
    "pydantic": "rulebook",
    "re2": "match",
    "requests": "delivery",
    "rich": "cli",
    "smtplib": "delivery",
    "sqlalchemy": "ledger",
    "structlog": "log",
    "urllib3": "delivery",
    "uvicorn": "server",
    "uvloop": "cli",
    "yaml": "rulebook",
}
EVERYWHERE = {"msgspec"}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def _step(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down_the_staircase(path: Path) -> None:
    own = _step(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "router" or len(parts) < 2 or parts[1] in ("__version__", own):
            continue
        assert STAIRCASE.index(parts[1]) < STAIRCASE.index(own), f"{name} is above {own}"
        assert not (own in APART and parts[1] in APART), f"{own} knows {parts[1]}"


def test_every_third_party_library_lives_in_one_place() -> None:
    for path in FILES:
        for name in _imports(path):
            library = name.split(".")[0]
            if library in sys.stdlib_module_names and library not in ONE_PLACE:
                continue
            if library in ("router", "__future__") or library in EVERYWHERE:
                continue
            assert ONE_PLACE.get(library) == _step(path), f"{library} in {path.relative_to(ROOT)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_in_a_head_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_waits_in_the_pool_of_threads_that_all_share(path: Path) -> None:
    assert "to_thread" not in path.read_text(encoding="utf-8"), "use a pool of router/pools.py"


BROWSED = sorted((ROOT.parent / "tests" / "e2e").glob("*.py"))
ONE_LOOK = set(
    "all_inner_texts all_text_contents content count get_attribute inner_html inner_text"
    " input_value is_checked is_disabled is_enabled is_hidden is_visible text_content".split()
)


@pytest.mark.parametrize("path", BROWSED, ids=lambda p: p.name)
def test_a_browser_test_waits_for_what_it_expects(path: Path) -> None:
    """A page that is on its way is not there yet: `expect(...)` looks until it is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Assert):
            continue
        asked = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        once = sorted(asked & ONE_LOOK) + ["page.url"] * ("page.url" in ast.unparse(node))
        assert not once, f"line {node.lineno} looks only once ({', '.join(once)}): use `expect`"
