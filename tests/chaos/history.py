"""What happened in a run, as values: posts, arrivals, samples, the ledger at the end.

All moments are seconds of the harness' monotonic clock, which no fault touches.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Pair = tuple[str, str]
"""A rule and a channel."""


class Post(msgspec.Struct, frozen=True):
    """One try at posting an event: `status` 0 is no answer in time or no connection."""

    number: int
    case: int
    replica: str
    began: float
    ended: float
    status: int
    event: int | None = None


class Carried(msgspec.Struct, frozen=True):
    """An event that a message is about: its id in the ledger, and the number in its body."""

    event: int
    number: int


class Arrival(msgspec.Struct, frozen=True):
    """One message as it came to the far end; a digest carries several events."""

    at: float
    channel: str
    rule: str
    message_id: str
    repeat: bool
    case: int
    carries: tuple[Carried, ...]


class Sample(msgspec.Struct, frozen=True):
    """What a replica's health said: a status, 0 for no answer in time, -1 for no process."""

    at: float
    replica: str
    probe: Literal["livez", "readyz"]
    status: int
    detail: str = ""


class DueSample(msgspec.Struct, frozen=True):
    """How much is due, by channel, on channels that neither rest nor are paused."""

    at: float
    counts: dict[str, int]


class Fault(msgspec.Struct, frozen=True):
    """A fault, when it was on, and the replicas it is about (the others should be well)."""

    name: str
    began: float
    ended: float
    victims: frozenset[str] = frozenset()
    reachable: bool = True
    """Whether the victims could answer if they wanted: not where they are stopped or killed."""
    far_ends: bool = False
    """Whether it is the far ends' fault that nothing goes."""


class Exit(msgspec.Struct, frozen=True):
    """A process that ended by itself: its status, and the last line of its log."""

    at: float
    replica: str
    status: int
    line: str
    supervised: bool = False
    """Its supervisor ended it, since /livez failed for long."""


class EventRow(msgspec.Struct, frozen=True):
    """An event in the ledger at the end."""

    id: int
    number: int


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery in the ledger at the end. `waited` is seconds since it was due, if it is."""

    id: int
    event: int
    rule: str
    channel: str
    state: str
    reason: str = ""
    copy: bool = False
    waited: float | None = None


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel promises: whether its cases stay in order, and its rate."""

    ordered: bool = True
    per_second: float | None = None
    burst: int = 1
    well: bool = True
    """Whether its far end answers all the time, so that silence is the router's."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `expected` says per number which pairs its event should have deliveries for."""

    posts: tuple[Post, ...]
    arrivals: tuple[Arrival, ...]
    samples: tuple[Sample, ...] = ()
    due: tuple[DueSample, ...] = ()
    faults: tuple[Fault, ...] = ()
    exits: tuple[Exit, ...] = ()
    events: tuple[EventRow, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()
    expected: dict[int, tuple[Pair, ...]] = {}
    courses: dict[str, Course] = {}
    replicas: tuple[str, ...] = ()
    began: float = 0.0
    calm: float = 0.0
    """From here on there is no fault."""
    recovered: float | None = None
    """When nothing that was due at the calm waited any more; None: never."""
    drained: float | None = None
    """When nothing waited at all, the posters having stopped; None: never."""
    ended: float = 0.0
    erased: float | None = None
    """When the ledger was deleted or put back to an earlier state, on purpose."""
    ready: dict[str, int] = {}
    """What each replica's /readyz says at the end; -1: its process is not there."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How long something may take, in seconds, and which findings are to be expected."""

    silence: float = 6.0
    """A healthy replica accepts again within this, whatever befalls its neighbour."""
    due: float = 30.0
    """After the calm, all that is due has gone within this."""
    answer: float = 6.0
    """A reachable replica answers its posts within this, if with 503."""
    ready_and_silent: float = 6.0
    notice: float = 3.0
    """A deleted ledger is noticed, and nothing acknowledged any more, within this."""
    skew: float = 0.5
    """By how much the clocks of replicas differ, for rates."""
    may_lose: bool = False
    """Asynchronous replication: what never reached the standby is stated, and is no fault."""
    may_exit: frozenset[int] = frozenset()
    """Statuses with which a process may end by itself (its supervisor starts it again)."""
