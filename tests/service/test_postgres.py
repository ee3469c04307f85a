"""The service on PostgreSQL: replicas share the work, and a dead one's work is taken over."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg

from databases import fresh_database
from far_end import Answer, HttpFarEnd, wait_until
from running import Running
from silent_proxy import SilentProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels: {{ sink: {{ webhook: {{ url: {url}/in }} }} }}
rules:
  - {{ name: all, when: always, notify: sink, title: "{{{{ case_version }}}}" }}
"""


def test_two_replicas_deliver_everything_through_the_death_of_one(
    postgres: str, tmp_path: Path
) -> None:
    settings = {"ROUTER_DATABASE_URL": fresh_database(postgres)}
    with HttpFarEnd() as far:
        replicas = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            replicas.append(Running(tmp_path / name, RULES.format(url=far.url), settings))
            replicas[-1].start()
        first, second = replicas
        posted = 0
        for version in range(1, 31):
            for running in replicas:
                body = {"trigger": "case_comment", "case_id": posted % 5, "case_version": version}
                if running.process is not None and running.post(body)[0] == 202:
                    posted += 1
            if version == 15:
                first.kill()
        wait_until(lambda: len(second.deliveries("state=sent")) == posted)
        told = [json.loads(p.body) for p in far.posted]
        assert len({t["event"]["id"] for t in told}) == posted
        repeats = [t for t in told if t["possible_repeat"]]
        assert len(told) - posted <= len(repeats)
        assert second.stop() == 0


FREEZES = 6
ACCEPT_AGAIN = 5.0
SLACK = 3.0
"""Seconds that a machine with other work may add."""
USUAL = 20
"""Accepts after which it is known how long one takes there."""
STEPS = 5
"""Accepts, one after the other, that it takes until a freeze is over for all."""
PATIENT = 16.0
"""Seconds within which a post is answered, whatever the database does: with 202 or 503."""


def accept(running: Running, body: Any) -> None:
    """Post an event until it is accepted: on a busy machine it may be told to come again."""
    wait_until(lambda: running.post(body)[0] == 202)


@contextlib.contextmanager
def replicas(folder: Path, url: str, database: str, number: int) -> Iterator[list[Running]]:
    settings = {"ROUTER_DATABASE_URL": database}
    started: list[Running] = []
    try:
        for name in range(number):
            (folder / str(name)).mkdir()
            started.append(Running(folder / str(name), RULES.format(url=url), settings))
            started[-1].start()
        yield started
    finally:
        for running in started:
            if running.process is not None:
                running.process.send_signal(signal.SIGCONT)
                running.stop()


class Poster:
    """Posts one event after the other to one replica, about five cases that all share."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._post, daemon=True)
        self.accepted_at: list[float] = []  # monotonic, when the post began
        self.slowest = 0.0
        self._thread.start()

    def _post(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            body = {"trigger": "case_comment", "case_id": number % 5, "case_version": number}
            began = time.monotonic()
            if self._running.post(body)[0] == 202:
                self.accepted_at.append(began)
            self.slowest = max(self.slowest, time.monotonic() - began)

    def wait_for_accepted(self, seconds: float) -> None:
        """Wait until an event is accepted that is posted from now on."""
        now = time.monotonic()
        wait_until(lambda: self.accepted_at and self.accepted_at[-1] >= now, seconds)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def test_a_replica_that_is_frozen_at_any_moment_costs_the_others_five_seconds(
    postgres: str, tmp_path: Path
) -> None:
    chance = random.Random(11)
    database = fresh_database(postgres)
    with HttpFarEnd() as far, replicas(tmp_path, far.url, database, 3) as running:
        posters = [Poster(one) for one in running]
        wait_until(lambda: min(len(poster.accepted_at) for poster in posters) > USUAL)
        slack = SLACK + STEPS * max(poster.slowest for poster in posters)
        for number in range(FREEZES):
            frozen = running[number % 3].process
            assert frozen is not None
            time.sleep(chance.uniform(0.2, 0.7))
            frozen.send_signal(signal.SIGSTOP)
            end = time.monotonic() + ACCEPT_AGAIN + slack
            for other in (1, 2):
                posters[(number + other) % 3].wait_for_accepted(end - time.monotonic())
            frozen.send_signal(signal.SIGCONT)
            posters[number % 3].wait_for_accepted(30)
        for poster in posters:
            poster.stop()
        accepted = sum(len(poster.accepted_at) for poster in posters)
        wait_until(lambda: pending(database) == 0, 120)
        events = {json.loads(posted.body)["event"]["id"] for posted in far.posted}
        assert len(events) >= accepted
        for poster in posters:
            assert poster.slowest < PATIENT + slack


def pending(database: str) -> Any:
    with psycopg.connect(database) as connection:
        sql = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
        return connection.execute(sql).fetchone()[0]  # type: ignore[index]  # a count is there


def test_a_replica_whose_database_falls_silent_answers_503_and_goes_on_once_it_speaks(
    postgres: str, tmp_path: Path
) -> None:
    database = fresh_database(postgres)
    body = {"trigger": "case_comment", "case_id": 1, "case_version": 1}
    with (
        SilentProxy(database) as proxy,
        HttpFarEnd() as far,
        replicas(tmp_path, far.url, proxy.url, 1) as (cut_off,),
        replicas(tmp_path / "0", far.url, database, 1) as (healthy,),
    ):
        accept(cut_off, body)
        proxy.silence()
        began = time.monotonic()
        assert cut_off.post(body)[0] == 503
        assert time.monotonic() - began < PATIENT
        assert cut_off.get("/readyz")[0] == 503
        wait_until(lambda: healthy.post(body)[0] == 202, ACCEPT_AGAIN + SLACK)
        proxy.talk()
        wait_until(lambda: cut_off.post(body)[0] == 202)
        wait_until(lambda: cut_off.get("/readyz")[0] == 200)
        wait_until(lambda: pending(database) == 0)


def test_a_locked_table_lets_a_post_wait_about_five_seconds(postgres: str, tmp_path: Path) -> None:
    database = fresh_database(postgres)
    body = {"trigger": "case_comment", "case_id": 1, "case_version": 1}
    with HttpFarEnd() as far, replicas(tmp_path, far.url, database, 1) as (running,):
        accept(running, body)
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            posted = []
            for _ in range(3):
                began = time.monotonic()
                posted.append((running.post(body)[0], time.monotonic() - began))
            other.rollback()
        assert [status for status, _ in posted] == [503] * 3
        # One that comes while the writer waits for the lock waits for its own turn as well.
        assert min(took for _, took in posted) < ACCEPT_AGAIN + SLACK
        assert max(took for _, took in posted) < 2 * ACCEPT_AGAIN + SLACK
        wait_until(lambda: running.post(body)[0] == 202)


def test_after_a_hang_two_replicas_together_keep_to_a_rate(postgres: str, tmp_path: Path) -> None:
    settings = {"ROUTER_DATABASE_URL": fresh_database(postgres)}
    released = threading.Event()
    with HttpFarEnd() as far, contextlib.ExitStack() as stack:
        stack.callback(released.set)
        far.by_path = lambda _: Answer(200 if released.wait(20) else 500)
        rules = RULES.format(url=far.url).replace("/in }", "/in }, rate: 5/s")
        replicas = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            replicas.append(Running(tmp_path / name, rules, settings))
            replicas[-1].start()
            stack.callback(replicas[-1].kill)
        for number in range(60):
            body = {"trigger": "case_comment", "case_id": number, "case_version": number}
            accept(replicas[number % 2], body)
        wait_until(lambda: len(far.posted) == 8)  # four threads each, and all of them hang
        time.sleep(5)  # so long is the rate free, and nothing goes
        began = time.time()
        released.set()
        wait_until(lambda: len(far.posted) >= 60, 40)
        moments = [one.at for one in far.posted if one.at >= began]
        beyond = max(
            until - since - 5 * (moments[until] - moments[since])
            for since in range(len(moments))
            for until in range(since, len(moments))
        )
        assert beyond <= 3, f"{beyond:.1f} more than the rate"  # a moment's delay is no message
