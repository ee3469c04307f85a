"""The memory that requests of all connections take together, until they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.server.connections import Reason


class Holder(Protocol):
    """Whoever sends a request."""

    def time_out(self, reason: Reason) -> None: ...


class Budget:
    """Bytes of requests that are not whole yet, and of those that are being answered.

    Of what is not whole, the one that has held its bytes longest makes room: so a stranger who
    sends half requests keeps nobody out who sends whole ones.
    """

    def __init__(self, unfinished: int, answering: int, refused: Callable[[Reason], None]) -> None:
        self.unfinished = 0
        self.answering = 0
        self._max_unfinished = unfinished
        self._max_answering = answering
        self._refused = refused
        self._parts: dict[Holder, int] = {}  # the longest held first
        self._wholes: dict[Holder, int] = {}

    def hold(self, holder: Holder, size: int) -> bool:
        """Count bytes of a request that is not whole yet; False if it has to make room itself."""
        if not size:
            return True  # who holds nothing makes room for nobody
        self._parts[holder] = self._parts.get(holder, 0) + size
        self.unfinished += size
        while self.unfinished > self._max_unfinished:
            longest = next(iter(self._parts))
            self.unfinished -= self._parts.pop(longest)
            if longest is holder:
                return False
            self._refused("flood")
            longest.time_out("flood")
        return True

    def finish(self, holder: Holder, more: int) -> bool:
        """Its request is whole, with `more` bytes than it held; False if there is no room for it
        among those being answered."""
        held = self._parts.pop(holder, 0)
        self.unfinished -= held
        size = held + more
        if self.answering + size > self._max_answering:
            return False
        self.answering += size
        self._wholes[holder] = self._wholes.get(holder, 0) + size
        return True

    def answered(self, holder: Holder) -> None:
        """What was whole has been answered."""
        self.answering -= self._wholes.pop(holder, 0)

    def release(self, holder: Holder) -> None:
        """It is gone, with all that it sent."""
        self.unfinished -= self._parts.pop(holder, 0)
        self.answered(holder)
