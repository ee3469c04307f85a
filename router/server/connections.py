"""All open connections: how many there may be, and how long each may be silent."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from router.server.budget import Budget
from router.server.slices import Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Phase = Literal["waiting", "head", "body", "answer", "linger"]
"""What a connection is at: nothing of a request has come; a part of its head; a part of its body;
it is being answered; it was answered early, and what still comes is thrown away."""
Reason = Literal[
    "crowded", "idle", "slow_head", "slow_body", "slow_reader", "large_head", "malformed", "flood"
]


class Limits(NamedTuple):
    """What one connection may take; sizes in bytes, times in seconds."""

    request_line: int = 8 * 1024
    head: int = 32 * 1024
    fields: int = 100
    pipelined: int = 16
    """Requests of one connection that wait for the one before: each costs the loop a step."""
    framing: int = 8 * 1024
    """Bytes of a body's chunks and trailers, beside as many as the body itself has."""
    lingering: int = 8 * 1024**2
    unfinished: int = 16 * 1024**2
    """Of all connections together: heads and bodies that are not whole yet."""
    answering: int = 32 * 1024**2
    """Of all connections together: bodies of requests that are being answered."""
    first_byte_within: float = 10.0
    head_within: float = 10.0
    body_grace: float = 20.0
    body_rate: float = 16 * 1024.0
    """Bytes a second that a body must come at once `body_grace` is over."""
    kept_alive: float = 75.0
    """Longer than the 60 seconds of nginx and of cloud balancers: else one of them may send a
    request into a connection that is just being closed."""
    answer_read_within: float = 30.0
    linger: float = 5.0


LIMITS = Limits()
RESERVE = 256
"""File descriptors that are kept for the database, far ends and files."""
MIN_DESCRIPTORS = 64
"""File descriptors without which the service cannot work: half of them are its own."""
MAX_DESCRIPTORS = 65_536
MAX_CONNECTIONS = 8_192
"""An idle one takes 4 kB."""


class Connection(Protocol):
    """What the sweep asks of a connection; times are the loop's."""

    phase: Phase
    since: float
    served: int
    received: int
    blocked_since: float | None

    def time_out(self, reason: Reason) -> None:
        """End it: with 408 where a request had begun, otherwise without a word."""


class Connections:
    """Who is connected. `sweep` is called each second."""

    def __init__(self, most: int, refused: Callable[[Reason], None], limits: Limits) -> None:
        self.most = most
        self.limits = limits
        self.refused = refused
        self.budget = Budget(limits.unfinished, limits.answering, refused)
        self.readers = Readers()
        self._all: set[Connection] = set()
        self._refused: set[Connection] = set()  # they have their 503, and do not go yet
        self._waiting: dict[Connection, None] = {}  # the longest waiting first

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all))

    def add(self, connection: Connection) -> bool:
        """Let a connection in, if need be in the place of the one that has waited longest without
        a whole request; False if every other one is being served."""
        if len(self._all) >= self.most:
            longest = next(iter(self._waiting), None)
            self.refused("crowded")
            if longest is None:
                self._refused.add(connection)
                return False
            longest.time_out("crowded")
            self.remove(longest)
        self._all.add(connection)
        self._waiting[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._refused.discard(connection)
        self._waiting.pop(connection, None)
        self.budget.release(connection)

    def wait(self, connection: Connection) -> None:
        """It has been answered, or does not read its answer: it may be closed to make room."""
        if connection in self._all:
            self._waiting[connection] = None

    def begin(self, connection: Connection) -> None:
        """A whole request has come: it is not closed to make room any more."""
        self._waiting.pop(connection, None)

    def sweep(self, now: float) -> None:
        """Close what is silent for too long."""
        for connection in [*self._all, *self._refused]:
            reason = self._overdue(connection, now)
            if reason is not None:
                if connection.phase != "linger":  # it was counted when it was answered
                    self.refused(reason)
                connection.time_out(reason)

    def _overdue(self, connection: Connection, now: float) -> Reason | None:
        limits, phase, silent = self.limits, connection.phase, now - connection.since
        blocked = connection.blocked_since
        if blocked is not None and now - blocked > limits.answer_read_within:
            return "slow_reader"
        if phase == "waiting":
            patience = limits.kept_alive if connection.served else limits.first_byte_within
            return "idle" if silent > patience else None
        if phase == "head":
            return "slow_head" if silent > limits.head_within else None
        if phase == "body":
            patience = limits.body_grace + connection.received / limits.body_rate
            return "slow_body" if silent > patience else None
        if phase == "linger":
            return "slow_body" if silent > limits.linger else None
        return None


def lacks_descriptors() -> str | None:
    """Say in words that the system lets this process open too few files, None if not."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= MIN_DESCRIPTORS:
        return None
    return (
        f"this process may have {hard} files and connections open at once and needs"
        f" {MIN_DESCRIPTORS} at least, better some thousands: raise `ulimit -Hn`, LimitNOFILE="
        " (systemd) or --ulimit nofile (containers)"
    )


def raise_descriptors() -> int:
    """Take as many file descriptors as the system lets us; returns how many connections there may
    be beside what else needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        soft = MAX_DESCRIPTORS
    free = min(soft, MAX_DESCRIPTORS) - max(min(RESERVE, soft // 2), 32)
    return max(16, min(free, MAX_CONNECTIONS))
