"""The far ends: what is at the other end of a connection, and what arrived there.

The router's senders, urllib3 and http.client run as they are; only the socket is ours.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import urllib3.util.connection

from chaos.history import Arrival, Carried
from simulation.baton import Waiters

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from simulation.baton import Baton

Answer = Literal["200", "500", "429", "silence", "closes", "refuses", "drips", "slow"]
ANSWERS: tuple[Answer, ...] = ("500", "429", "silence", "closes", "refuses", "drips", "slow")
_TAKES = frozenset({"200", "silence", "closes", "drips", "slow"})


class FarEnds:
    """All channels' far ends; each answers what its `moods` say."""

    def __init__(self, baton: Baton, counts: Counter[str]) -> None:
        self.baton = baton
        self.moods: dict[str, Callable[[], Answer]] = {}
        self.arrivals: list[Arrival] = []
        self.requests: list[tuple[float, str]] = []
        """Every request that came, taken or not: when, and for which channel."""
        self.counts = counts

    def answer(self, channel: str) -> Answer:
        """What the next request for a channel meets."""
        mood = self.moods.get(channel)
        return "200" if mood is None else mood()

    def take(self, channel: str, body: bytes, headers: dict[str, str], answer: Answer) -> None:
        """A request has come whole."""
        self.requests.append((self.baton.now, channel))
        if answer != "200":
            self.counts[f"far end: {answer}"] += 1
        if answer not in _TAKES:
            return
        told = json.loads(body)
        events = told.get("events") or [told["event"]]
        carries = tuple(Carried(e["id"], _number(e["body"])) for e in events)
        arrival = Arrival(
            at=self.baton.now,
            channel=channel,
            rule=told["rule"]["name"],
            message_id=headers["webhook-id"],
            repeat=told["possible_repeat"],
            case=int(told["event"]["case_id"] or 0),
            carries=carries,
        )
        self.arrivals.append(arrival)
        mark = " (repeat)" if arrival.repeat else ""
        listed = ", ".join(str(c.event) for c in carries)
        self.baton.tell(f"> {channel}: {arrival.rule}, event {listed}{mark}: {answer}")

    @contextlib.contextmanager
    def reachable(self) -> Iterator[None]:
        """In this block, what connects to anywhere connects to these."""
        real = urllib3.util.connection.create_connection
        urllib3.util.connection.create_connection = self._connect  # type: ignore[assignment]
        try:
            yield
        finally:
            urllib3.util.connection.create_connection = real

    def _connect(self, _address: object, timeout: float, **_: Any) -> SimulatedSocket:
        self.baton.point("connect out")
        self.baton.block(Waiters(), self.baton.chance.uniform(0.0005, 0.01), "connects")
        return SimulatedSocket(self, timeout)


class SimulatedSocket:
    """One connection: a request is taken once it is whole, and answered in its time."""

    def __init__(self, far: FarEnds, timeout: float | None) -> None:
        self._far = far
        self._baton = far.baton
        self._timeout = timeout
        self._sent = b""
        self._answer: Answer | None = None
        self._ready_at = 0.0
        self._left = b""
        self._waiters = Waiters()
        self.cut = False

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        self._baton.point("send")
        self._sent += bytes(data)
        head, _, body = self._sent.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        if len(body) < int(headers.get("content-length", "0")):
            return
        channel = lines[0].split(" ")[1].strip("/")
        self._answer = self._far.answer(channel)
        if self._answer == "refuses":
            self._far.counts["far end: refuses"] += 1
            raise ConnectionResetError("the far end takes nothing")
        self._far.take(channel, body, headers, self._answer)
        takes = (3.0, 12.0) if self._answer == "slow" else (0.002, 0.08)
        self._ready_at = self._baton.now + self._baton.chance.uniform(*takes)
        self._left = _ANSWERS.get(self._answer, _ANSWERS["200"])
        self._baton.point("sent")

    def read(self, room: int) -> bytes:
        """The next bytes of the answer, b"" at the end; TimeoutError if none come in time."""
        self._baton.point("receive")
        if self.cut:
            return b""
        if self._answer == "silence":
            self._wait(self._timeout)
            raise TimeoutError("timed out")
        if self._answer == "drips":
            self._wait(min(self._timeout or 1.0, 1.0))
            return b"H"
        self._wait(self._ready_at - self._baton.now)
        if self._answer == "closes":
            raise ConnectionResetError("the far end closed the connection")
        part, self._left = self._left[:room], self._left[room:]
        return part

    def makefile(self, _mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self))

    def shutdown(self, _how: int) -> None:
        self.cut = True
        self._baton.wake(self._waiters)

    def close(self) -> None:
        """Nobody waits for it."""

    def _wait(self, seconds: float | None) -> None:
        if seconds is None or seconds > 0:
            self._baton.block(self._waiters, seconds, "receives")


class _Stream(io.RawIOBase):
    def __init__(self, socket: SimulatedSocket) -> None:
        super().__init__()
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._socket.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _http(status: str, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n{more}\r\nok".encode()


_ANSWERS = {
    "200": _http("200 OK"),
    "500": _http("500 Internal Server Error"),
    "429": _http("429 Too Many Requests", "retry-after: 3\r\n"),
}


def _number(body: Any) -> int:
    fields = body if isinstance(body, dict) else msgspec.json.decode(body)
    return int(fields.get("case_version", -1))
