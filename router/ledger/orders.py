"""What the writer is given to write, the hands it gives to, and the answers to who waits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from router.ledger.shapes import Accepted, Claim, Draft, InHand, LedgerUnavailable, Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from router.rules import Rate
    from router.scheduler import Reply

_Answer = tuple["asyncio.Future[Accepted]", "Accepted | LedgerUnavailable"]


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


class Order:
    """Something for the writer to do; `finished` once who gave it knows what became of it."""

    __slots__ = ("finished",)

    def __init__(self) -> None:
        self.finished = False

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more: then it need not be begun."""
        return False


class AcceptOrder(Order):
    """A draft, and the future of the event loop that waits for it since `at` (the loop's time)."""

    __slots__ = ("at", "draft", "future", "loop")

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Accepted] = self.loop.create_future()
        self.at = self.loop.time()

    @property
    def abandoned(self) -> bool:
        return self.future.done()


class ClaimOrder(Order):
    """A channel of which to take in hand what is due."""

    __slots__ = ("channel",)

    def __init__(self, channel: str) -> None:
        super().__init__()
        self.channel = channel


class RecordOrder(Order):
    """An attempt to write down; `done` is called once it is on disk."""

    __slots__ = ("done", "tried")

    def __init__(self, tried: Tried, done: Callable[[], None]) -> None:
        super().__init__()
        self.tried = tried
        self.done = done


class CallOrder(Order):
    """A function to run inside a transaction, and who waits for what it returns since `at`
    (monotonic)."""

    __slots__ = ("at", "function", "reply")

    def __init__(
        self, function: Callable[[sa.Connection], Any], reply: Reply[Any], at: float
    ) -> None:
        super().__init__()
        self.function = function
        self.reply = reply
        self.at = at

    @property
    def abandoned(self) -> bool:
        return self.reply.abandoned


class StopOrder(Order):
    """Nothing comes after it."""

    __slots__ = ()


def settle(orders: Sequence[AcceptOrder], accepted: Sequence[Accepted]) -> None:
    """Answer those who wait in an event loop, with one call into each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for order, answer in zip(orders, accepted, strict=True):
        by_loop.setdefault(order.loop, []).append((order.future, answer))
    for loop, answers in by_loop.items():
        _call(loop, answers)


def refuse(order: AcceptOrder, reason: LedgerUnavailable) -> None:
    """Tell who waits that nothing was written."""
    _call(order.loop, [(order.future, reason)])


def _call(loop: asyncio.AbstractEventLoop, answers: Sequence[_Answer]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_set_all, answers)


def _set_all(answers: Sequence[_Answer]) -> None:
    for future, answer in answers:
        if future.done():
            continue  # the request was cancelled; what it asked for is on disk all the same
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
