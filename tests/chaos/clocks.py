"""Faults of clocks: replicas whose wall clocks differ, or are set while they run."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.history import Bounds
from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.stage import Stage

HOUR, DAY = 3600.0, 86400.0


class Clock:
    """The wall clock of one replica: a file with the seconds by which it is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(struct.pack("d", 0.0))

    def set(self, seconds: float) -> None:
        """Be wrong by so much from here on; eight bytes are written at once."""
        with self.path.open("r+b") as file:
            file.write(struct.pack("d", seconds))


def _with_clocks(stage: Stage) -> None:
    library = build_clock(stage.folder)
    for name in stage.names:
        stage.clocks[name] = Clock(stage.folder / f"clock-{name}")
        stage.settings[name] = {
            "LD_PRELOAD": str(library),
            "CHAOS_CLOCK": str(stage.clocks[name].path),
        }


def build_clock(folder: Path) -> Path:
    """Compile the clock that a process is preloaded with."""
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    line = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl", "-lm"]
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    return library


@scenario(
    "skewed clocks",
    "the replicas' clocks are up to five seconds apart",
    prepare=_with_clocks,
    needs=("cc",),
    bounds=Bounds(skew=6.0),
)
def skewed(stage: Stage) -> None:
    with stage.fault("skew"):
        for name, seconds in zip(stage.names, (0.0, 2.5, -2.5), strict=True):
            stage.clocks[name].set(seconds)
        stage.wait()
        for clock in stage.clocks.values():
            clock.set(0.0)


@scenario(
    "clock forward an hour",
    "a replica's clock is set forward an hour, and back",
    prepare=_with_clocks,
    needs=("cc",),
    bounds=Bounds(skew=6.0),
)
def forward_an_hour(stage: Stage) -> None:
    _jump(stage, HOUR)


@scenario(
    "clock back an hour",
    "a replica's clock is set back an hour, and forward",
    prepare=_with_clocks,
    needs=("cc",),
    bounds=Bounds(skew=6.0),
)
def back_an_hour(stage: Stage) -> None:
    _jump(stage, -HOUR)


@scenario(
    "jumping clocks",
    "all clocks jump by up to two minutes, twice a second, apart from each other",
    prepare=_with_clocks,
    needs=("cc",),
    bounds=Bounds(skew=250.0, due=60.0),
)
def jumping(stage: Stage) -> None:
    with stage.fault("jumps"):
        for _ in range(round(stage.seconds * 2)):
            stage.clocks[stage.any_name()].set(stage.chance.uniform(-120.0, 120.0))
            stage.wait(0.5)
        for clock in stage.clocks.values():
            clock.set(0.0)


@scenario(
    "all clocks forward a day",
    "the clocks of all replicas are set forward a day, together, and back",
    prepare=_with_clocks,
    needs=("cc",),
    bounds=Bounds(skew=6.0),
)
def forward_a_day(stage: Stage) -> None:
    with stage.fault("a day"):
        for clock in stage.clocks.values():
            clock.set(DAY)
        stage.wait()
        for clock in stage.clocks.values():
            clock.set(0.0)


@scenario(
    "sqlite clock a day ahead",
    "the clock of the machine is set forward a day, and back, with two replicas on SQLite",
    prepare=_with_clocks,
    needs=("cc",),
    database="sqlite",
    replicas=2,
    bounds=Bounds(skew=6.0),
)
def sqlite_a_day_ahead(stage: Stage) -> None:
    _set_all(stage, DAY)


@scenario(
    "sqlite clock a day behind",
    "the same, set back a day, and forward",
    prepare=_with_clocks,
    needs=("cc",),
    database="sqlite",
    replicas=2,
    bounds=Bounds(skew=6.0),
)
def sqlite_a_day_behind(stage: Stage) -> None:
    _set_all(stage, -DAY)


def _set_all(stage: Stage, seconds: float) -> None:
    with stage.fault("clock set", *stage.names):
        for clock in stage.clocks.values():
            clock.set(seconds)
        stage.wait()
        for clock in stage.clocks.values():
            clock.set(0.0)


def _jump(stage: Stage, seconds: float) -> None:
    victim = stage.any_name()
    with stage.fault("clock set", victim):
        stage.clocks[victim].set(seconds)
        stage.wait()
        stage.clocks[victim].set(0.0)
