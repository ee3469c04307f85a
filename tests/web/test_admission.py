"""No work is done for strangers, and nobody's slow question makes others wait."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from far_end import wait_until
from router.access import hash_password
from router.ledger import LedgerUnavailable
from router.readiness import WriteCheck
from router.tries import FROM_ONE_PLACE
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RULES = """version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
TOKEN = "the-api-token-0123456789"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {
        "ROUTER_ADMIN_PASSWORD": hash_password("the-operators-pass"),
        "ROUTER_API_TOKEN": hash_password(TOKEN),
    }
    made = Running(tmp_path_factory.mktemp("admission"), RULES, settings)
    made.start()
    yield made
    made.stop()


def send(running: Running, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"accept": "text/html", "content-type": FORM, "origin": running.url, **given}
    request = urllib.request.Request(running.url + path, body, given, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"a&" * (450 * 1024), id="many fields"),
        pytest.param(b"a=" + b"%22" * (300 * 1024), id="one large field"),
        pytest.param(b"a&" * 1_000, id="small, of many fields"),
    ],
)
def test_a_form_of_a_stranger_is_not_parsed_and_not_echoed(running: Running, body: bytes) -> None:
    status, page = send(running, "/playground", body)
    assert status == 401
    assert len(page) < 20_000
    assert "too large to" in page


def test_a_form_of_4_mib_is_refused_in_words(running: Running) -> None:
    status, page = send(running, "/playground", b"a&" * (2 * 1024**2))
    assert status in (401, 413)
    assert len(page) < 20_000


def test_a_small_form_is_kept_through_a_login(running: Running) -> None:
    status, page = send(running, "/playground", b"rules=" + b"x" * 60_000)
    assert status == 401
    assert "is kept" in page


@pytest.mark.parametrize("path", ["/login", "/playground", "/deliveries/resend"])
def test_a_form_with_too_many_fields_is_refused_to_anybody(running: Running, path: str) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    status, page = send(running, path, b"a=1&" * 100_000, **bearer)
    assert status in (400, 404, 413)
    assert len(page) < 20_000


@pytest.mark.parametrize(
    ("path", "size"), [("/login", 700_000), ("/playground", 120_000)], ids=["logins", "forms"]
)
def test_nothing_that_a_stranger_sends_is_kept(running: Running, path: str, size: int) -> None:
    """Each form differs: whatever keeps them by their text (Litestar's parser did) keeps all."""
    send(running, path, b"a=" + b"x" * size)
    before = resident_megabytes(running)
    sent = 0
    while sent < 250 * 1024**2:
        send(running, path, f"a{sent}=".encode() + b"x" * size)
        sent += size
    assert resident_megabytes(running) - before < 100


def resident_megabytes(running: Running) -> int:
    assert running.process is not None
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@pytest.mark.parametrize(
    ("parts", "status"),
    [(3, 401), (150, 401), (2_000, 401)],
    ids=["few parts", "many parts", "too many parts"],
)
def test_a_form_in_parts_is_bounded_too(running: Running, parts: int, status: int) -> None:
    part = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n'
    kind = "multipart/form-data; boundary=x"
    answer, page = send(running, "/playground", part * parts + b"--x--\r\n", content_type=kind)
    assert answer == status
    assert ("is kept" in page) == (parts < 200)
    assert len(page) < 40_000


def test_wrong_bearers_hold_up_neither_readiness_nor_who_is_proven(running: Running) -> None:
    good = {"authorization": f"Bearer {TOKEN}"}
    assert running.get("/api/rules", **good)[0] == 200
    statuses: list[int] = []
    done = threading.Event()

    def flood(number: int) -> None:
        for attempt in range(12):
            wrong = {"authorization": f"Bearer wrong-{number}-{attempt}"}
            statuses.append(running.get("/api/rules", **wrong)[0])

    def watch() -> list[int]:
        seen = []
        while not done.is_set():
            seen += [running.get("/readyz")[0], running.get("/api/rules", **good)[0]]
            time.sleep(0.02)
        return seen

    began = time.monotonic()
    with ThreadPoolExecutor(17) as pool:
        watching = pool.submit(watch)
        list(pool.map(flood, range(16)))
        done.set()
        assert set(watching.result()) == {200}
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= _most_tries(began)


def test_a_proven_script_goes_on_after_a_flood_from_its_own_place(running: Running) -> None:
    good = {"authorization": f"Bearer {TOKEN}"}
    began = time.monotonic()
    statuses: list[int] = []
    for attempts in (range(300), range(300, 320)):
        assert running.get("/api/rules", **good)[0] == 200
        for attempt in attempts:
            wrong = {"authorization": f"Bearer wrong-{attempt}"}
            statuses.append(running.get("/api/rules", **wrong)[0])
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= _most_tries(began), "a right token frees no place for wrong ones"


def _most_tries(began: float) -> float:
    """How many wrong tokens from one place may have been proven since then (monotonic)."""
    limit = FROM_ONE_PLACE["token"]
    return limit.many + 1 + (time.monotonic() - began) / limit.every


def test_a_flood_of_questions_whether_it_is_ready_makes_it_neither_unready_nor_write(
    running: Running,
) -> None:
    """A balancer must not hear 503 because strangers ask too."""

    def ask(_: int) -> set[int]:
        return {running.get("/readyz")[0] for _ in range(10)}

    with ThreadPoolExecutor(40) as pool:
        assert set().union(*pool.map(ask, range(40))) == {200}


def test_a_flood_of_pages_leaves_probes_alone(running: Running) -> None:
    """More want pages at once than may wait for them: these are told, and probes are not."""
    clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(1_500)]
    try:
        for client in clients:
            client.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3)
        health = [running.get(path)[0] for path in ("/livez", "/readyz") * 5]
        statuses = {client.recv(65536)[9:12] for client in clients}
    finally:
        for client in clients:
            client.close()
    assert set(health) == {200}
    assert statuses == {b"200", b"503"}


def test_a_database_is_asked_once_for_all_who_ask_at_once_and_anew_for_who_asks_later() -> None:
    release, begun = threading.Event(), threading.Event()
    asked: list[bool] = []

    def check() -> None:
        begun.set()
        asked.append(release.wait(20))
        if len(asked) == 2:
            raise LedgerUnavailable("the disk is full")

    async def story() -> tuple[list[str | None], list[str | None]]:
        writing = WriteCheck(check)
        early = [asyncio.create_task(writing.fault()) for _ in range(50)]
        await asyncio.to_thread(begun.wait, 20)
        late = [asyncio.create_task(writing.fault()) for _ in range(50)]
        await asyncio.sleep(0)
        for tasks in (early, late):
            tasks.pop().cancel()  # who goes away does not end it for the others
        release.set()
        return await asyncio.gather(*early), await asyncio.gather(*late)

    early, late = asyncio.run(story())
    assert set(early) == {None}
    assert set(late) == {"it cannot write: the disk is full"}
    assert len(asked) == 2


@pytest.mark.parametrize("path", ["/", "/hooks/atfinity"])
@pytest.mark.parametrize("proof", ["\xff\xfe===", "=", "w6k=", "YTpi\xa0", "a" * 9_000])
def test_a_password_that_is_none_is_refused_like_a_wrong_one(
    running: Running, path: str, proof: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(f"{head}Authorization: Basic {proof}\r\n\r\n".encode("latin-1"))
        assert client.recv(65536)[9:12] in (b"401", b"404", b"405", b"429")


def test_slow_pages_take_nothing_from_readiness(
    tmp_path: object, router: Callable[..., Running]
) -> None:
    """Forty viewers who ask for the whole history, while one more asks whether it is ready."""
    running = router(RULES)
    for case in range(50):
        running.post({"trigger": "case_created", "case_id": case})
    with ThreadPoolExecutor(41) as pool:
        asked = [pool.submit(running.get, "/api/events?limit=500&q=x") for _ in range(40)]
        wait_until(lambda: running.get("/readyz")[0] == 200)
        assert {future.result()[0] for future in asked} <= {200, 503}
    assert tmp_path is not None
