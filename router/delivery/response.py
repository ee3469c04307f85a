"""The head of a far end's answer: it is read to its end, or is no answer."""

from __future__ import annotations

from http.client import HTTPResponse, IncompleteRead
from typing import Any


class WholeHeadResponse(HTTPResponse):
    """http.client's response, but a head that breaks off raises IncompleteRead.

    http.client takes the end of the connection for the end of a head, so that `HTTP/1.1 200 OK` and
    half a line would be a whole answer, also when the watchdog was what ended the connection.
    """

    def begin(self) -> None:
        """Read the head of the final answer, past interim ones.

        http.client passes by 100 only. Were a 103 taken for the answer, the connection would go
        back to its pool, and the next message could get the answer to this one.
        """
        stream = self.fp
        self.fp = _HeadLines(stream)  # type: ignore[assignment]
        try:
            super().begin()
            while 101 < self.status < 200:
                self.headers = None  # type: ignore[assignment]  # what `begin` begins with
                super().begin()
        finally:
            if self.fp is not None:
                self.fp = stream


class _HeadLines:
    """The lines of a head; after the first, a line without its end raises IncompleteRead."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begun = False

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(limit)
        if self._begun and len(line) < limit and not line.endswith(b"\n"):
            raise IncompleteRead(line)
        self._begun = True  # of a first line, http.client says itself what is wrong with it
        return line

    def close(self) -> None:
        self._stream.close()
