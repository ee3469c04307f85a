"""A request is what its sender framed, and nothing else: by raw bytes, cut anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framings import HOST, REFUSED, SMUGGLED, UPGRADES
from serving import Serving, statuses

if TYPE_CHECKING:
    from collections.abc import Iterator


def post(headers: bytes, body: bytes, *, length: bool = True) -> bytes:
    measure = b"Content-Length: %d\r\n" % len(body) if length else b""
    return b"POST /hooks/a HTTP/1.1\r\n" + HOST + headers + measure + b"\r\n" + body


def chunked(headers: bytes, body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"POST /hooks/a HTTP/1.1\r\n" + HOST + headers + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + end


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("form", [post, chunked])
def test_a_body_after_an_upgrade_is_a_body(server: Serving, headers: bytes, form: object) -> None:
    server.seen.clear()
    answer = server.exchange([form(headers, SMUGGLED)])  # type: ignore[operator]
    assert statuses(answer) == [200]
    assert [(seen.path, seen.body) for seen in server.seen] == [("/hooks/a", SMUGGLED)]


@pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
def test_a_request_after_an_upgrade_is_the_next_request(server: Serving, headers: bytes) -> None:
    server.seen.clear()
    first = b"GET /a HTTP/1.1\r\n" + HOST + headers + b"\r\n"
    answer = server.exchange([first + first + post(headers, b"body") + SMUGGLED], 4)
    assert statuses(answer) == [200] * 4
    assert [seen.path for seen in server.seen] == ["/a", "/a", "/hooks/a", "/smuggled"]


@pytest.mark.parametrize("cut", range(1, 190, 7))
def test_an_upgrade_cut_anywhere_is_read_alike(server: Serving, cut: int) -> None:
    server.seen.clear()
    stream = post(UPGRADES["h2c"], SMUGGLED) + SMUGGLED
    answer = server.exchange([stream[:cut], stream[cut:]], 2)
    assert statuses(answer) == [200, 200]
    assert [(s.path, s.body) for s in server.seen] == [("/hooks/a", SMUGGLED), ("/smuggled", b"")]


def test_an_upgrade_leaves_no_wish_for_the_application(server: Serving) -> None:
    server.seen.clear()
    server.exchange([post(UPGRADES["h2c"] + b"X-Other: 1\r\n", b"b")])
    (seen,) = server.seen
    assert seen.header("upgrade") == seen.header("connection") == []
    assert seen.header("x-other") == ["1"]


def test_close_beside_an_upgrade_still_closes(server: Serving) -> None:
    server.seen.clear()
    stream = post(b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n", b"b") + SMUGGLED
    answer = server.exchange([stream], 2)
    assert statuses(answer) == [200]
    assert b"connection: close" in answer
    assert [seen.path for seen in server.seen] == ["/hooks/a"]


@pytest.mark.parametrize("stream", REFUSED.values(), ids=REFUSED)
def test_what_two_servers_may_read_differently_is_refused(server: Serving, stream: bytes) -> None:
    server.seen.clear()
    answer = server.exchange([stream + SMUGGLED], 2)
    assert len(statuses(answer)) == 1
    assert 400 <= statuses(answer)[0] < 600
    assert b"connection: close" in answer
    assert [seen.path for seen in server.seen] == []


def test_a_trailer_is_no_header(server: Serving) -> None:
    server.seen.clear()
    stream = chunked(b"", b"body", b"0\r\nX-Forwarded-User: operator\r\n\r\n")
    assert statuses(server.exchange([stream])) == [200]
    assert statuses(server.exchange([stream[:95], stream[95:]])) == [200]
    for seen in server.seen:
        assert seen.body == b"body"
        assert seen.header("x-forwarded-user") == []


def test_an_absolute_target_is_its_path(server: Serving) -> None:
    server.seen.clear()
    server.exchange([b"GET http://x/a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n"])
    assert [seen.path for seen in server.seen] == ["/a"]


def test_a_sender_that_waits_for_100_gets_it(server: Serving) -> None:
    with server.connect() as client:
        client.sendall(
            post(b"Expect: 100-continue\r\n", b"")[:-2].replace(b": 0", b": 4") + b"\r\n"
        )
        assert b"100 Continue" in client.recv(1000)
        client.sendall(b"body")
        assert b"200 OK" in client.recv(1000)


REQUESTS = st.builds(
    lambda form, upgrade, body: form(upgrade, body),
    st.sampled_from([post, chunked]),
    st.sampled_from([b"", *UPGRADES.values()]),
    st.sampled_from([b"x", b"body", SMUGGLED, b"0\r\n\r\n", b"\r\n\r\n" * 3]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=6), cuts=st.lists(st.floats(0, 1), max_size=4)
)
def test_many_requests_cut_anywhere_are_just_these(
    server: Serving, requests: list[bytes], cuts: list[float]
) -> None:
    server.seen.clear()
    stream = b"".join(requests)
    places = [0, *sorted({int(cut * len(stream)) for cut in cuts}), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places) if a < b]
    answer = server.exchange(pieces, len(requests))
    assert statuses(answer) == [200] * len(requests)
    assert [seen.path for seen in server.seen] == ["/hooks/a"] * len(requests)
