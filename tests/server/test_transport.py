"""What goes: an answer's head with its body, and nothing that waits for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from router.server.transport import CONTINUE, LingeringTransport
from serving import Serving, statuses

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


class Wire(asyncio.Transport):
    """What asyncio is given to send, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0


class Whole:
    """Of its request nothing is still to come."""

    def begin_lingering(self) -> bool:
        return False


def test_a_head_goes_with_its_body() -> None:
    wire = Wire()
    transport = LingeringTransport(wire, Whole())
    for number in (1, 2):
        transport.write(b"head%d " % number)
        transport.write(b"body")
        transport.write(b", more")
        transport.end_answer()
    assert wire.sent == [b"head1 body", b", more", b"head2 body", b", more"]


def test_a_head_without_a_body_goes_at_its_end() -> None:
    for name in ("end_answer", "close", "abort"):
        wire = Wire()
        transport = LingeringTransport(wire, Whole())
        transport.write(b"head")
        assert wire.sent == []
        getattr(transport, name)()
        assert wire.sent == [b"head"]


def test_a_peer_that_waits_to_be_told_to_continue_is_told_at_once() -> None:
    wire = Wire()
    transport = LingeringTransport(wire, Whole())
    transport.write(CONTINUE)
    assert wire.sent == [CONTINUE]
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.sent[1:] == [b"head body"]


def test_nothing_is_sent_to_who_has_left() -> None:
    wire = Wire()
    transport = LingeringTransport(wire, Whole())
    transport.write(b"head")
    wire.close()
    transport.abort()
    transport.write(b"body")
    assert wire.sent == []


def test_a_body_comes_after_it_was_asked_for(server: Serving) -> None:
    head = b"POST /hooks/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    server.seen.clear()
    with server.connect() as client:
        client.sendall(head)
        assert client.recv(65536) == CONTINUE
        client.sendall(b"body" + head)
        answer = b""
        while CONTINUE not in answer:
            answer += client.recv(65536)
        assert statuses(answer)[0] == 200
        client.sendall(b"more")
        while answer.count(b"HTTP/1.1 200") < 2:
            answer += client.recv(65536)
    assert [seen.body for seen in server.seen] == [b"body", b"more"]


def test_an_answer_to_head_has_no_body_and_comes_at_once(server: Serving) -> None:
    head = b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(server.exchange([head + head], 2)) == [200, 200]
