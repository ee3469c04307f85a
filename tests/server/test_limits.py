"""What strangers may take: heads, bodies, connections and silence have bounds."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from far_end import wait_until
from router.server import LIMITS, Server
from router.server.connections import Connections
from router.server.protocol import FIELD, BoundedProtocol
from router.server.server import ACCEPTED_AT_ONCE, with_copies
from router.server.slices import SLICE, Readers
from serving import Serving, statuses

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = LIMITS._replace(
    first_byte_within=1.0,
    head_within=1.0,
    body_grace=1.0,
    kept_alive=2.0,
    answer_read_within=1.0,
    linger=1.0,
)
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.fixture
def quick() -> Iterator[Serving]:
    with Serving(QUICK) as serving:
        yield serving


def closed(client: socket.socket) -> bytes:
    """All that still comes, until the server closes."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while data := client.recv(65536):
            answer += data
    return answer


LARGE = {
    "a long address": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a long query": (b"GET /?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "many fields": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
    "a large field": (b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * 40_000 + b"\r\n\r\n", 431),
    "a large name": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"b" * 40_000 + b": a\r\n\r\n", 431),
    "large fields": (b"GET / HTTP/1.1\r\n" + (b"a: " + b"b" * 5_000 + b"\r\n") * 7 + b"\r\n", 431),
    "a large upgrade": (
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\na: "
        + b"b" * 33_000
        + b"\r\n\r\n",
        431,
    ),
}


@pytest.mark.parametrize(("stream", "status"), LARGE.values(), ids=LARGE)
def test_a_head_that_is_too_large_is_refused(server: Serving, stream: bytes, status: int) -> None:
    server.seen.clear()
    for size in (len(stream), 1_000):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert statuses(server.exchange(pieces)) == [status]
    assert server.seen == []


def test_a_head_without_an_end_is_refused_long_before_it_fills_the_memory(server: Serving) -> None:
    with server.connect() as client:
        sent = 0
        with contextlib.suppress(OSError):
            client.sendall(b"GET / HTTP/1.1\r\na: ")
            for _ in range(64):
                client.sendall(b"b" * 1024**2)
                sent += 1
        assert sent < 64
    assert server.refused["large_head"] > 0


def test_a_head_within_its_bounds_is_read(server: Serving) -> None:
    head = b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n" + b"a: bcd\r\n" * 98 + b"\r\n"
    assert statuses(server.exchange([head])) == [200]


def test_line_ends_before_a_request_count_as_its_head(server: Serving) -> None:
    assert statuses(server.exchange([b"\r\n\r\n" + GET])) == [200]
    assert statuses(server.exchange([b"\r\n" * 500] * 60)) == [431]


def test_a_flood_of_requests_on_one_connection_is_refused(server: Serving) -> None:
    server.seen.clear()
    answer = server.exchange([GET * 5_000], 5_000)
    assert 1 <= len(statuses(answer)) <= LIMITS.pipelined + 2
    assert len(server.seen) <= LIMITS.pipelined + 2
    assert server.refused["flood"] > 0


def test_requests_within_the_bound_are_all_answered(server: Serving) -> None:
    assert statuses(server.exchange([GET * 15], 15)) == [200] * 15


@pytest.mark.parametrize(
    ("begin", "status", "reason"),
    [
        (b"", [], "idle"),
        (b"GET / HTTP/1.1\r\nHo", [408], "slow_head"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", [408], "slow_body"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", [408], "slow_body"),
    ],
)
def test_who_stands_still_is_closed(
    quick: Serving, begin: bytes, status: list[int], reason: str
) -> None:
    with quick.connect() as client:
        client.sendall(begin)
        assert statuses(closed(client)) == status
    assert quick.refused[reason] == 1
    assert quick.seen == []


def test_a_head_that_drips_is_closed(quick: Serving) -> None:
    with quick.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        deadline = time.monotonic() + 20
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                client.sendall(b"a: b\r\n")
                time.sleep(0.2)
        assert quick.refused["slow_head"] == 1


def test_a_head_without_an_end_does_not_keep_a_stop_waiting() -> None:
    with Serving() as serving, serving.connect() as client:
        client.sendall(GET[:20])
        server = serving.server
        assert server is not None
        wait_until(lambda: [c.phase for c in server.connections] == ["head"])
        server.stop()
        assert closed(client) == b""
        wait_until(lambda: len(server.connections) == 0)


def test_a_kept_connection_that_is_silent_is_closed_without_a_word(quick: Serving) -> None:
    with quick.connect() as client:
        client.sendall(GET)
        assert statuses(client.recv(1000)) == [200]
        assert closed(client) == b""
    assert quick.refused["idle"] == 1


def test_who_does_not_read_its_answer_is_closed() -> None:
    with Serving(QUICK, answer=30 * 1024**2) as serving, serving.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET)
        wait_until(lambda: serving.refused["slow_reader"] == 1)


def test_an_early_answer_arrives_though_the_body_still_comes() -> None:
    """As behind a proxy that sends all of a large body before it reads the answer."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4000000\r\n\r\n"
    with Serving(reads=False) as serving:
        for _ in range(30):
            with serving.connect() as client:
                client.sendall(head + b"." * 4_000_000)
                assert statuses(closed(client)) == [200]


def test_a_connection_goes_on_after_an_early_answer() -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n"
    with Serving(reads=False) as serving:
        answer = serving.exchange([head + b"." * 400_000 + GET], 2)
    assert statuses(answer) == [200, 200]
    assert [seen.path for seen in serving.seen] == ["/a", "/a"]


def test_early_answers_on_one_connection_do_not_add_up() -> None:
    """As behind a proxy that keeps its connection: each body has the bound for itself."""
    limits = LIMITS._replace(lingering=1024**2)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with Serving(limits, reads=False) as serving, serving.connect() as client:
        for _ in range(5):
            client.sendall(head + b"." * 900_000)
            answer = b""
            while not answer.endswith(b".........."):
                answer += client.recv(65536)
            assert statuses(answer) == [200]


def test_the_end_of_one_body_counts_nothing_for_the_next(server: Serving) -> None:
    """The second head ends just before a slice does, so that the slice holds little of its body."""
    first = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0%d\r\n\r\n"
    second = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
    size = 3 * SLICE - len(second) - 100
    body = size - len(first % size)
    stream = first % body + b"." * body + second + b"." * 70_000
    assert statuses(server.exchange([stream], 2)) == [200, 200]


def test_of_those_who_send_much_one_is_read_in_each_round() -> None:
    async def story() -> list[str]:
        order: list[str] = []
        readers, loop = Readers(), asyncio.get_running_loop()
        for name in "abc":
            reading: Any = _Reading(name, order)
            readers.wait(reading, loop, 0.0)
        for _ in range(5):
            order.append("others")
            await asyncio.sleep(0)
        return order

    order = asyncio.run(story())
    assert order[:4] == ["a waits", "b waits", "c waits", "others"]
    assert order[4:] == ["a reads", "others", "b reads", "others", "c reads", "others", "others"]


def test_after_a_slice_that_took_long_nobody_is_read_for_as_long() -> None:
    async def story() -> float:
        loop, released = asyncio.get_running_loop(), asyncio.Event()
        reading: Any = _Reading("a", [])
        reading.release_reading = released.set
        began = time.perf_counter()
        Readers().wait(reading, loop, 0.2)
        await released.wait()
        return time.perf_counter() - began

    assert asyncio.run(story()) > 0.15


class _Reading:
    """A transport whose reading is held and released."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.hold_reading = lambda: order.append(f"{name} waits")
        self.release_reading = lambda: order.append(f"{name} reads")


def test_many_who_send_much_keep_no_small_request_waiting(server: Serving) -> None:
    """300 who send as fast as they are read, in chunks of a few bytes."""
    much = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    much += b"a\r\n0123456789\r\n" * 16_000
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(300)]
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.send(much)
        began = time.monotonic()
        assert statuses(server.exchange([GET])) == [200]
        assert time.monotonic() - began < 2.0


def test_a_burst_of_connections_is_taken_in_few_rounds() -> None:
    async def story() -> int:
        server = Server(_never, proxies=(), drain=1.0, max_body=0, refused=print)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(256)
            address = listening.getsockname()
            burst = [socket.create_connection(address) for _ in range(8 * ACCEPTED_AT_ONCE)]
            serving = asyncio.create_task(server.serve([listening]))
            rounds = 0
            while len(server.connections) < len(burst):
                await asyncio.sleep(0)
                rounds += len(server.connections) > 0
            for client in burst:
                client.close()
            server.stop()
            await serving
        return rounds

    assert asyncio.Runner(loop_factory=uvloop.new_event_loop).run(story()) < 4 * ACCEPTED_AT_ONCE


def test_the_application_can_know_that_who_asked_has_gone() -> None:
    async def story() -> list[bool]:
        seen: list[bool] = []
        began, ended = asyncio.Event(), asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["router.has_left"]())
            began.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            seen.append(scope["router.has_left"]())
            ended.set()

        server = Server(app, proxies=(), drain=1.0, max_body=0, refused=print)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            serving = asyncio.create_task(server.serve([listening]))
            with socket.create_connection(listening.getsockname()) as client:
                client.sendall(GET)
                await began.wait()
            await ended.wait()
            server.stop()
            await serving
        return seen

    assert asyncio.run(story()) == [False, True]


async def _never(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


def test_what_comes_after_an_early_answer_is_bounded() -> None:
    limits = LIMITS._replace(lingering=1024**2)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 400000000\r\n\r\n"
    with Serving(limits, reads=False) as serving, serving.connect() as client:
        client.sendall(head)
        sent = 0
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.sendall(b"." * 1024**2)
                sent += 1
        assert sent < 200


def test_half_bodies_make_room_for_whole_ones() -> None:
    limits = LIMITS._replace(unfinished=1024**2)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with Serving(limits) as serving:
        clients = [serving.connect() for _ in range(4)]
        for client in clients:
            client.sendall(head + b"." * 600_000)
        wait_until(lambda: serving.refused["flood"] == 3)
        for _ in range(3):
            assert statuses(serving.exchange([head + b"." * 900_000])) == [200]
        assert serving.refused["flood"] == 4
        assert [statuses(closed(client)) for client in clients] == [[503]] * 4
        assert len(serving.seen) == 3
        assert serving.server is not None
        budget = serving.server.connections.budget
        wait_until(lambda: budget.unfinished == budget.answering == 0)
        for client in clients:
            client.close()


def test_a_body_that_comes_in_small_pieces_counts_too() -> None:
    limits = LIMITS._replace(unfinished=100_000)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with Serving(limits) as serving:
        answer = serving.exchange([head, *[b"." * 1_000] * 120])
        assert statuses(answer) == [503]
        assert serving.seen == []


def test_half_heads_make_room_for_whole_ones() -> None:
    """Counted with what each field takes beside its text."""
    limits = LIMITS._replace(unfinished=100_000)
    with Serving(limits) as serving:
        clients = [serving.connect() for _ in range(10)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 98)
        wait_until(lambda: serving.refused["flood"] >= 3)
        assert statuses(serving.exchange([GET])) == [200]
        assert statuses(closed(clients[0])) == [503]
        for client in clients:
            client.close()


def test_who_holds_nothing_makes_no_room() -> None:
    """A head whose body has not come yet, while others send half bodies."""
    limits = LIMITS._replace(unfinished=100_000)
    with Serving(limits) as serving, serving.connect() as honest:
        honest.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        serving.turn()
        clients = [serving.connect() for _ in range(12)]
        for client in clients:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n")
            client.sendall(b"." * 15_000)
        wait_until(lambda: serving.refused["flood"] >= 5)
        honest.sendall(b"body")
        assert honest.recv(1000).startswith(b"HTTP/1.1 200")
        for client in clients:
            client.close()


def test_what_requests_hold_is_never_less_than_nothing() -> None:
    """Line ends after a request whose head came in two slices count as the next one's."""
    head = b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 98
    with Serving() as serving:
        assert serving.server is not None
        budget = serving.server.connections.budget
        with serving.connect() as client:
            client.sendall(head)
            wait_until(lambda: budget.unfinished > 98 * FIELD)
            client.sendall(b"\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            client.sendall(b"\r\n")
            serving.turn()
            assert 0 <= budget.unfinished <= 2
        wait_until(lambda: budget.unfinished == budget.answering == 0)


FRAMING = {
    "chunks of one byte": b"1\r\nx\r\n" * 200_000,
    "a chunk's extension": b"1;a=" + b"b" * 1_000_000,
    "many trailers": b"0\r\n" + b"a: b\r\n" * 200_000,
    "a large trailer": b"0\r\na: " + b"b" * 1_000_000,
}


@pytest.mark.parametrize("stream", FRAMING.values(), ids=FRAMING)
@pytest.mark.parametrize("reads", [True, False])
def test_chunks_that_are_larger_than_what_is_in_them_are_refused(
    stream: bytes, reads: bool
) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Serving(reads=reads) as serving:
        answer = serving.exchange([head + stream], 2)
        assert statuses(answer) in ([[400]] if reads else [[400], [200]])
        assert serving.refused["malformed"] == 1


def test_small_chunks_of_a_small_body_are_read() -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Serving() as serving:
        stream = head + b"1\r\nx\r\n" * 2_000 + b"400\r\n" + b"y" * 1024 + b"\r\n0\r\n\r\n"
        assert statuses(serving.exchange([stream])) == [200]
        assert serving.seen[0].body == b"x" * 2_000 + b"y" * 1024


@pytest.mark.parametrize(
    "piece", [b"b" * 1_000_000, b"a: b\r\n" * 100_000], ids=["value", "fields"]
)
def test_a_head_is_bounded_while_another_request_is_answered(piece: bytes) -> None:
    with Serving(answer=30 * 1024**2) as serving, serving.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET)
        wait_until(lambda: serving.seen)
        with contextlib.suppress(OSError):
            client.sendall(b"GET /b HTTP/1.1\r\na: " + piece)
        wait_until(lambda: serving.refused["large_head"] == 1)
        assert len(serving.seen) == 1


def test_a_request_that_is_not_whole_makes_room_for_one_that_is() -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    with Serving() as serving:
        assert serving.server is not None
        serving.server.connections.most = 20
        clients = [serving.connect() for _ in range(20)]
        for client in clients:
            client.sendall(head + b"half")
        wait_until(lambda: len(serving.server.connections) == 20 if serving.server else False)
        for _ in range(20):
            assert statuses(serving.exchange([GET])) == [200]
        for client in clients:
            client.close()


def test_who_does_not_read_its_answer_makes_room() -> None:
    with Serving(answer=10 * 1024**2) as serving:
        assert serving.server is not None
        serving.server.connections.most = 5
        clients = [serving.connect() for _ in range(5)]
        for client in clients:
            client.sendall(GET)
        wait_until(lambda: len(serving.seen) == 5)
        for _ in range(3):
            with serving.connect() as other:
                other.sendall(GET)
                assert other.recv(1000).startswith(b"HTTP/1.1 200")
        for client in clients:
            client.close()


class _Idle:
    """A connection as the count of them sees it."""

    def __init__(self) -> None:
        self.phase = "waiting"
        self.since = 0.0
        self.served = 0
        self.received = 0
        self.blocked_since = None
        self.ended: list[str] = []

    def time_out(self, reason: str) -> None:
        self.ended.append(reason)


def test_the_one_that_waits_longest_makes_room() -> None:
    refused: Counter[str] = Counter()
    connections = Connections(3, lambda reason: refused.update([reason]), LIMITS)
    first, second, third, fourth = idle = [_Idle() for _ in range(4)]
    for connection in idle[:3]:
        assert connections.add(connection)  # type: ignore[arg-type]
    connections.begin(first)  # type: ignore[arg-type]  # it is being served
    assert connections.add(fourth)  # type: ignore[arg-type]
    assert (first.ended, second.ended, third.ended) == ([], ["crowded"], [])
    assert refused["crowded"] == 1


def test_where_all_are_served_nobody_makes_room() -> None:
    connections = Connections(2, lambda _reason: None, LIMITS)
    for connection in (_Idle(), _Idle()):
        assert connections.add(connection)  # type: ignore[arg-type]
        connections.begin(connection)  # type: ignore[arg-type]
    refused = _Idle()
    refused.phase = "linger"  # it has its answer, and does not go
    assert not connections.add(refused)  # type: ignore[arg-type]
    connections.sweep(LIMITS.linger + 1)
    assert (refused.ended, len(connections)) == (["slow_body"], 2)
    connections.remove(refused)  # type: ignore[arg-type]
    connections.sweep(LIMITS.linger + 2)
    assert refused.ended == ["slow_body"]


def test_strangers_that_hold_connections_keep_no_sender_out() -> None:
    with Serving() as serving:
        assert serving.server is not None
        serving.server.connections.most = 50
        held = [serving.connect() for _ in range(200)]
        for client in held[::2]:
            client.sendall(b"POST /hooks/x HTTP/1.1\r\n")
        for _ in range(20):
            assert statuses(serving.exchange([GET])) == [200]
        assert len(serving.server.connections) <= 50
        for client in held:
            client.close()


def test_copies_of_a_socket_that_another_process_serves_leave_it_as_it_is() -> None:
    """Else that process waits in `accept` for a connection that this one took."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        os.set_blocking(listening.fileno(), False)  # as another process does, by its own object
        copies = with_copies([listening])
        try:
            assert len(copies) == ACCEPTED_AT_ONCE
            assert not any(os.get_blocking(each.fileno()) for each in copies)
        finally:
            for each in copies[1:]:
                each.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GET[:-9], id="half a head"),
        pytest.param(GET, id="a request"),
        pytest.param(GET * 3, id="requests in a row"),
        pytest.param(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", id="half a body"
        ),
        pytest.param(LARGE["a long address"][0], id="what is refused"),
    ],
)
def test_a_connection_that_is_gone_leaves_nothing_to_the_garbage_collector(
    server: Serving, sent: bytes
) -> None:
    def protocols() -> list[BoundedProtocol]:
        return [one for one in gc.get_objects() if isinstance(one, BoundedProtocol)]

    def new() -> int:
        return sum(id(one) not in known for one in protocols())

    gc.collect()
    gc.disable()
    try:
        # Held, so that those of a test before may end meanwhile and no id is given out again.
        earlier = protocols()
        known = {id(one) for one in earlier}
        with contextlib.ExitStack() as clients:
            for _ in range(20):
                client = socket.create_connection(("127.0.0.1", server.port))
                clients.enter_context(client).sendall(sent)
            wait_until(lambda: new() == 20)
        wait_until(lambda: new() == 0)
    finally:
        gc.enable()
