"""A scenario: a fault, what it is done to, and the registry of all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from chaos.history import Bounds

if TYPE_CHECKING:
    from chaos.stage import Stage

Act = Callable[["Stage"], None]
Database = Literal["postgresql", "sqlite"]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One fault under load. `act` runs while events are posted; when it returns, all is calm."""

    name: str
    fault: str
    act: Act
    database: Database = "postgresql"
    replicas: int = 3
    bounds: Bounds = Bounds()
    prepare: Act | None = None
    """Runs before the replicas start: limits, clocks, where the database is."""
    namespaces: bool = False
    through_proxy: bool = False
    at_once: bool = False
    """Whether all replicas start together, on an empty database; else the first makes it ready."""
    extra: int = 0
    """How many more channels there are."""
    needs: tuple[str, ...] = ()
    """Programs without which it cannot run."""
    short: bool = False
    """Whether it is part of the short form for CI."""

    def missing(self) -> list[str]:
        """The programs it needs and that are not there."""
        needs = (*self.needs, *(("ip", "nft") if self.namespaces else ()), "setpriv")
        return [program for program in needs if shutil.which(program) is None]


REGISTRY: dict[str, Scenario] = {}


def scenario(
    name: str,
    fault: str,
    *,
    database: Database = "postgresql",
    replicas: int = 3,
    bounds: Bounds | None = None,
    prepare: Act | None = None,
    namespaces: bool = False,
    through_proxy: bool = False,
    at_once: bool = False,
    extra: int = 0,
    needs: tuple[str, ...] = (),
    short: bool = False,
) -> Callable[[Act], Act]:
    """Register a function as a scenario."""

    def register(act: Act) -> Act:
        if name in REGISTRY:
            raise ValueError(f"there are two scenarios `{name}`")
        REGISTRY[name] = Scenario(
            name=name,
            fault=fault,
            act=act,
            database=database,
            replicas=replicas,
            bounds=bounds or Bounds(),
            prepare=prepare,
            namespaces=namespaces,
            through_proxy=through_proxy,
            at_once=at_once,
            extra=extra,
            needs=needs,
            short=short,
        )
        return act

    return register
