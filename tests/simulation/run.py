"""Playing a seed, and judging it."""

from __future__ import annotations

import contextlib
import gc
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from router import rules_watch
from router.ledger import open_ledger
from router.secret import Secret
from simulation.checker import check
from simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.checker import Finding


class Run(msgspec.Struct, frozen=True):
    """What became of a seed."""

    seed: int
    digest: str
    posts: int
    accepted: int
    arrived: int
    points: int
    seconds: float
    """Simulated ones."""
    counts: Counter[str]
    findings: tuple[Finding, ...]
    marks: tuple[str, ...]
    lines: tuple[str, ...]


def empty_database(folder: Path) -> Path:
    """Make a database with its schema and nothing in it."""
    path = folder / "empty.db"
    open_ledger(Secret(f"sqlite:///{path}"), lambda: 0.0).close()
    return path


def play(seed: int, empty: Path) -> Run:
    """Play a seed and check what happened."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, _steady():
        world = World(seed, Path(folder), empty)
        world.play()
        history = world.history()
    return Run(
        seed,
        world.baton.digest,
        len(history.posts),
        sum(post.status == 202 for post in history.posts),
        len(history.arrivals),
        world.baton.points,
        history.ended - history.began,
        world.counts,
        tuple(check(history, world)),
        tuple(world.baton.marks),
        tuple(world.baton.lines),
    )


@contextlib.contextmanager
def _steady() -> Iterator[None]:
    """Nothing outside of the simulation moves: no garbage is collected, no log is written, and
    the rules on disk, which nobody changes, are looked at rarely."""
    period, rules_watch.PERIOD = rules_watch.PERIOD, 20.0
    gc.collect()
    gc.disable()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.reset_defaults()
        gc.enable()
        rules_watch.PERIOD = period


def _drop(*_: object) -> str:
    raise structlog.DropEvent


def _memory() -> str | None:
    """Where files need no disk, if there is such a place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
