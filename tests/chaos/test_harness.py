"""The parts of the harness: each does to bytes, clocks and processes what scenarios rely on."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaos.catalogue import SCENARIOS
from chaos.clocks import Clock, build_clock
from chaos.health import Silence, readings, silences
from chaos.history import History, Pair, Post, Sample
from chaos.network import sweep
from chaos.posters import Client
from chaos.proxy import Proxy
from chaos.records import Records
from chaos.replica import LAST_WILL, wait_until
from chaos.report import failed, table
from chaos.sink import Sink
from chaos.workload import KINDS, courses, draw_event, rules_text
from far_end import Answer, HttpFarEnd
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def accepted(began: float, ended: float, status: int = 202) -> Post:
    return Post(1, 1, "a", began, ended, status)


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        pytest.param([accepted(1, 1.1), accepted(1.2, 1.3)], [], id="no gap"),
        pytest.param(
            [accepted(1, 1.1), accepted(9, 9.1)], [], id="a pause of the posters is no silence"
        ),
        pytest.param(
            [accepted(1, 1.1), accepted(2, 8.0)], [Silence(2, 8.0)], id="a post that hung"
        ),
        pytest.param(
            [accepted(1, 1.1), accepted(2, 2.1, 503), accepted(4, 4.1)],
            [Silence(2, 4.1)],
            id="refused, then accepted",
        ),
        pytest.param(
            [accepted(1, 1.1), accepted(2, 6.0, 0)], [Silence(2, 6.0)], id="never accepted again"
        ),
    ],
)
def test_a_silence_lasts_from_the_first_post_to_the_next_accept(
    posts: list[Post], expected: list[Silence]
) -> None:
    assert silences(posts) == expected


def test_readings_add_up_what_was_not_200() -> None:
    statuses = [200, 200, 503, 503, 0, -1, 200]
    samples = tuple(Sample(1.0 + n, "a", "readyz", status) for n, status in enumerate(statuses))
    history = History(posts=(), arrivals=(), samples=samples, replicas=("a",))
    assert readings(history, "readyz") == "503 2.0 s, gone 1.0 s, no answer 1.0 s"


def test_the_rules_of_a_run_are_sound(router: Callable[..., Running]) -> None:
    """They have no problem, and each kind of event makes the deliveries that are expected."""
    with Sink() as sink:
        running = router(rules_text(f"http://127.0.0.1:{sink.port}", extra=2))
        assert running.command("check").returncode == 0
        chance = random.Random(5)
        seen: set[tuple[Pair, ...]] = set()
        for number in range(1, 200):
            body, kind = draw_event(chance, number, extra=2)
            if kind.pairs in seen:
                continue
            seen.add(kind.pairs)
            status, answer = running.post(body)
            assert (status, answer["deliveries"]) == (202, len(kind.pairs))
        assert seen >= {kind.pairs for kind in KINDS}
        assert {channel for pairs in seen for _, channel in pairs} <= set(courses(extra=2))
        posted = len(seen)
        assert wait_until(lambda: sum(a.channel == "fast" for a in sink.arrivals) == posted, 20.0)
        assert sink.faults == []
        records = Records(running.environment["ROUTER_DATABASE_URL"])
        assert {event.number for event in records.events()} == {
            carried.number
            for arrival in sink.arrivals
            if arrival.channel == "fast"
            for carried in arrival.carries
        }
        assert {row.rule for row in records.deliveries()} >= {"everything", "reviews"}
        records.close()


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets."""
    with HttpFarEnd() as far_end:
        far_end.usual = Answer(body=b"hello")
        yield "127.0.0.1", far_end.port


def test_a_frozen_proxy_takes_bytes_and_forwards_nothing(echo: tuple[str, int]) -> None:
    with Proxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(request)
        assert b"hello" in _receive(connection)
        proxy.freeze()
        connection.sendall(request)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        proxy.resume()
        connection.settimeout(5)
        assert b"hello" in _receive(connection)


def test_a_proxy_that_breaks_off_ends_its_connections(echo: tuple[str, int]) -> None:
    with Proxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"hello" in _receive(connection)
        proxy.break_off()
        connection.settimeout(5)
        assert connection.recv(100) == b""


def _receive(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    data = b""
    while not data.endswith(b"hello"):
        data += connection.recv(1000)
    return data


MESSAGE = {
    "rule": {"name": "everything"},
    "possible_repeat": False,
    "event": {"id": 7, "case_id": 3, "body": {"case_version": 70}},
}


def send(sink: Sink, channel: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=5)
    try:
        connection.request("POST", f"/{channel}", json.dumps(MESSAGE), {"webhook-id": "u-1"})
        return connection.getresponse().status
    except http.client.HTTPException:
        return 0
    finally:
        connection.close()


def test_the_sink_records_what_it_took_and_not_what_it_refused() -> None:
    with Sink() as sink:
        sink.manners["shaky"] = "down"
        assert [send(sink, "fast"), send(sink, "shaky")] == [200, 503]
        assert [(a.channel, a.carries[0].number) for a in sink.arrivals] == [("fast", 70)]


def test_what_hangs_at_the_sink_has_arrived_and_ends_when_it_recovers() -> None:
    with Sink() as sink:
        sink.default = "hang"
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(send(sink, "fast")))
        thread.start()
        assert wait_until(lambda: len(sink.arrivals) == 1, 5.0)
        sink.recover()
        thread.join(5)
        assert answers == [0]


def test_a_post_without_an_answer_is_recorded_as_such() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = Client({"a": closed.getsockname()})
        post = client.post("a", 5, {"case_id": 1})
    assert (post.number, post.status, post.event) == (5, 0, None)


@pytest.mark.chaos
def test_a_clock_is_set_while_a_process_runs(tmp_path: Path) -> None:
    """The wall clock of Python's threads moves, the monotonic one does not."""
    clock = Clock(tmp_path / "clock")
    line = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    environment = {
        **os.environ,
        "LD_PRELOAD": str(build_clock(tmp_path)),
        "CHAOS_CLOCK": str(clock.path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", line],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for seconds in (0.0, 3600.0, -86400.0):
            clock.set(seconds)
            process.stdin.write("\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            assert abs(wall - time.time() - seconds) < 30
            assert abs(monotonic - time.monotonic()) < 30
        process.stdin.close()


def test_what_a_run_starts_ends_with_it() -> None:
    """Also where the run is killed: no replica outlives it."""
    starter = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([*{LAST_WILL!r}, 'sleep', '60'])\n"
        "print(child.pid, flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        comm = Path(f"/proc/{pid}/comm")
        assert wait_until(lambda: comm.read_text(encoding="ascii").strip() == "sleep", 10.0)
        process.kill()
        assert wait_until(lambda: not _is_alive(pid), 10.0)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - of the kernel
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_sweep_leaves_what_others_have() -> None:
    before = sorted(os.listdir("/sys/class/net"))  # noqa: PTH208 - names only
    sweep(pid=0)
    assert sorted(os.listdir("/sys/class/net")) == before  # noqa: PTH208 - names only


def test_scenarios_have_names_of_their_own_and_a_short_form_for_each_engine() -> None:
    assert len({entry.name for entry in SCENARIOS}) == len(SCENARIOS)
    assert {entry.database for entry in SCENARIOS if entry.short} == {"postgresql", "sqlite"}
    assert not [entry.name for entry in SCENARIOS if entry.short and entry.needs]


def test_a_scenario_that_could_not_be_played_is_red_and_says_why() -> None:
    verdict = failed(SCENARIOS[0], "there is no PostgreSQL")
    assert verdict.red
    assert "not run: there is no PostgreSQL" in table([verdict])
