"""Tries at passwords: how many may follow each other from one place, and from anywhere."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from router.ledger import LedgerUnavailable, count_try

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.identity import Way
    from router.ledger import People

K = TypeVar("K")
V = TypeVar("V")


class Limit(NamedTuple):
    """How many wrong passwords may follow each other, and after how many seconds one more."""

    many: int
    every: float


# People type; scripts go on sending what is wrong, from an address that others may share.
FROM_ONE_PLACE = {"login": Limit(10, 60.0), "basic": Limit(30, 20.0), "token": Limit(100, 2.0)}
OVERALL = {"login": Limit(60, 10.0), "basic": Limit(100, 5.0), "token": Limit(1000, 0.2)}

MAX_REMEMBERED = 1000
ASK_AGAIN_AFTER = 5.0
"""Seconds for which a ledger that could not be written is not asked again."""


class Tries:
    """Counts tries in the ledger, so that the limits hold for all processes and over restarts.

    Who has to wait is remembered here: a flood writes and hashes nothing, from however many
    addresses it comes. And while the ledger cannot be written (a full disk), tries are counted
    here: then above all somebody has to come in and look.
    """

    def __init__(self, people: People, now: Callable[[], float]) -> None:
        self._people = people
        self._now = now
        self._barred: dict[str, float] = {}
        self._uncounted: dict[str, float] = {}  # by the ledger: until when they count
        self._uncounted_overall: dict[str, float] = {}  # nobody's many addresses crowd these out
        self._failed_at = -ASK_AGAIN_AFTER  # when the ledger was last asked in vain
        self._trusted: dict[str, bool] = {}

    def charge(self, way: Way, address: str | None) -> float | None:
        """Count a try before it is made: None if it may be, else the seconds to wait."""
        wait = self.wait_of(way, address)
        if wait is not None:
            return wait
        now = self._now()
        for key, limit in self._limits(way, address):
            wait = self._count(key, limit, now)
            if wait is not None:
                remember(self._barred, key, now + wait)
                return wait
        return None

    def forgive(self, way: Way, address: str | None) -> None:
        """Forget the tries from a place: one was right. From then on, what comes from anywhere
        else does not make that place wait."""
        place = origin_of(way, address)
        self._uncounted.pop(place, None)
        with contextlib.suppress(LedgerUnavailable):  # then the place waits sooner, for a while
            if not self._is_ledger_down():
                self._people.forgive(place)
        self._barred.pop(place, None)
        remember(self._trusted, place, value=True)

    def wait_of(self, way: Way, address: str | None) -> float | None:
        """How long who tries there has to wait, as far as it is known without the database."""
        now = self._now()
        for key, limit in self._limits(way, address):
            until = self._barred.get(key, 0.0)
            if now < until <= now + limit.every * limit.many:
                return until - now
        return None

    def _count(self, key: str, limit: Limit, now: float) -> float | None:
        if not self._is_ledger_down():
            try:
                return self._people.charge(key, every=limit.every, many=limit.many)
            except LedgerUnavailable:
                self._failed_at = now
        counted = self._uncounted_overall if key in OVERALL else self._uncounted
        until, wait = count_try(counted.get(key), limit.every, limit.many, now)
        remember(counted, key, until)
        return wait

    def _is_ledger_down(self) -> bool:
        return 0 <= self._now() - self._failed_at < ASK_AGAIN_AFTER

    def _limits(self, way: Way, address: str | None) -> list[tuple[str, Limit]]:
        place = origin_of(way, address)
        limits = [(place, FROM_ONE_PLACE[way])]
        return limits if place in self._trusted else [*limits, (way, OVERALL[way])]


def origin_of(way: Way, address: str | None) -> str:
    """Where tries are counted: an IPv4 address, or the network that one IPv6 customer has."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return f"{way} nowhere"
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.version == 4:
        return f"{way} {mapped}"
    return f"{way} {ipaddress.ip_network(f'{mapped}/64', strict=False)}"


_remembering = threading.Lock()


def remember(known: dict[K, V], key: K, value: V) -> None:
    """Remember a thing, in place of the oldest if there are many."""
    with _remembering:
        if key not in known and len(known) >= MAX_REMEMBERED:
            del known[next(iter(known))]
        known[key] = value
