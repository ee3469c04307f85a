"""What the writer is given to write, and the hands it gives to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from router.ledger.shapes import Accepted, Claim, Draft, InHand, Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    import sqlalchemy as sa

    from router.rules import Rate


class Hands(Protocol):
    """Who sends: it says how much it can take of a channel, and takes it."""

    def room(self, channel: str) -> int:
        """How many more of the channel this process can take in hand."""

    def free(self, channel: str) -> int:
        """The same for deliveries that are new: none while earlier ones wait, or a rate rules."""

    def rate(self, channel: str) -> Rate | None:
        """How many messages the channel takes."""

    def take(self, in_hand: Sequence[InHand]) -> None:
        """These are claimed, and on disk."""

    def wait(self, channel: str) -> None:
        """Deliveries of the channel were written down unclaimed, or have their turn now."""

    def later(self, moment: float) -> None:
        """Something was written down that is to be said at that moment."""

    def claimed(self, channel: str, claim: Claim) -> None:
        """A claim was answered: take what it brought."""

    def unwritten(self, what: str, reason: str) -> None:
        """Something could not be written; it is kept, and will be tried again."""


class AcceptOrder:
    __slots__ = ("draft", "future", "loop")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Accepted] = self.loop.create_future()


class ClaimOrder:
    __slots__ = ("channel",)

    def __init__(self, channel: str) -> None:
        self.channel = channel


class RecordOrder:
    __slots__ = ("done", "tried")

    def __init__(self, tried: Tried, done: Callable[[], None]) -> None:
        self.tried = tried
        self.done = done


class CallOrder:
    __slots__ = ("function", "future")

    def __init__(self, function: Callable[[sa.Connection], Any], future: Future[Any]) -> None:
        self.function = function
        self.future = future


class StopOrder:
    pass


Order = AcceptOrder | ClaimOrder | RecordOrder | CallOrder | StopOrder
