"""Alive, or plainly dead: whatever ends or stands still, what is due goes out."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaos.faulty import start, strike
from far_end import Answer, HttpFarEnd, wait_until
from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = (
    *("ledger-writer", "worker-clock", "rules-watch", "supervisor", "sender", "log-writer"),
    *("watchdog", "pages", "readiness"),
)


def rules(url: str, channels: int = 1) -> str:
    names = [f"c{number}" for number in range(channels)]
    entries = "".join(f"  {name}: {{ webhook: {{ url: '{url}/{name}' }} }}\n" for name in names)
    return (
        'version: 1\nsources: { atfinity: { secret: "${ATFINITY_SECRET}" } }\n'
        f"channels:\n{entries}"
        f"rules: [{{ name: all, when: always, notify: [{', '.join(names)}] }}]\n"
    )


@pytest.fixture
def far_end() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as made:
        yield made


def arrives(running: Running, far_end: HttpFarEnd, case: int) -> None:
    """An event that is accepted now reaches the far end."""
    wait_until(lambda: running.post({"trigger": "case_created", "case_id": case})[0] == 202)
    mark = f'"case_id":{case}'.encode()
    wait_until(lambda: any(mark in posted.body.replace(b" ", b"") for posted in far_end.posted))


@pytest.mark.parametrize("name", THREADS)
def test_a_thread_that_ends_is_started_again_and_what_is_due_goes_out(
    name: str, tmp_path: Path, far_end: HttpFarEnd
) -> None:
    running = start(tmp_path, rules(far_end.url))
    try:
        arrives(running, far_end, 1)
        assert running.get("/metrics")[0] == 200
        assert strike(running, "end", name) >= 1
        arrives(running, far_end, 2)
        wait_until(lambda: running.get("/livez")[0] == 200)
        wait_until(lambda: running.get("/readyz")[0] == 200)
        wait_until(lambda: running.get("/metrics")[0] == 200)
        assert running.process is not None
        assert running.process.poll() is None
    finally:
        running.stop()


def test_a_writer_that_ends_again_and_again_ends_the_process_in_words(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    running = start(tmp_path, rules(far_end.url), ROUTER_DRAIN="1s")
    process = running.process
    assert process is not None
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            strike(running, "end", "ledger-writer")
        except OSError:
            break
        time.sleep(0.1)
    assert process.wait(timeout=60) == 70
    assert '"gave_up"' in running.log.read_text()
    assert "`ledger-writer` ended" in running.log.read_text()


def test_a_log_that_nobody_reads_holds_up_nothing(tmp_path: Path, far_end: HttpFarEnd) -> None:
    running = Running(tmp_path, rules(far_end.url), {"ROUTER_LOG_LEVEL": "debug"})
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # fill it up first, so that the first line waits already
    try:
        while True:
            os.write(writing, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "router", "serve"],
        env=running.environment,
        stdout=writing,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    running.process = process
    try:
        wait_until(lambda: running.get("/readyz")[0] == 200)
        for case in range(300):
            assert running.post({"trigger": "case_created", "case_id": case})[0] == 202
        arrives(running, far_end, 1_000)
        assert running.get("/livez")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)


def test_a_stopped_process_that_goes_on_is_alive(tmp_path: Path, far_end: HttpFarEnd) -> None:
    running = start(tmp_path, rules(far_end.url))
    try:
        assert running.process is not None
        arrives(running, far_end, 1)
        running.process.send_signal(signal.SIGSTOP)
        time.sleep(8)
        running.process.send_signal(signal.SIGCONT)
        arrives(running, far_end, 2)
        assert running.get("/livez")[0] == 200
    finally:
        running.stop()


def test_a_storm_of_signals_stops_nothing(tmp_path: Path, far_end: HttpFarEnd) -> None:
    running = start(tmp_path, rules(far_end.url))
    try:
        assert running.process is not None
        for _ in range(200):
            running.process.send_signal(signal.SIGHUP)
            running.process.send_signal(signal.SIGWINCH)
        arrives(running, far_end, 1)
        assert running.get("/readyz")[0] == 200
    finally:
        assert running.stop() == 0


def test_far_ends_that_say_nothing_for_every_thread_hold_up_no_other_channel(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    far_end.by_path = lambda path: None if path.endswith("/c0") else Answer(deed="hang")
    running = start(tmp_path, rules(far_end.url, channels=12))
    try:
        for case in range(20):
            assert running.post({"trigger": "case_created", "case_id": case})[0] == 202
        wait_until(lambda: sum(p.path.endswith("/c0") for p in far_end.posted) >= 20)
        assert running.get("/livez")[0] == 200
        assert running.get("/readyz")[0] == 200
    finally:
        far_end.stopping.set()
        running.kill()


def test_what_waits_for_a_removed_channel_ends_though_the_database_was_sick_then(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    far_end.usual = Answer(500)
    running = start(tmp_path, rules(far_end.url, channels=2))
    try:
        assert running.post({"trigger": "case_created", "case_id": 1})[0] == 202
        wait_until(lambda: len({posted.path for posted in far_end.posted}) == 2)
        with contextlib.closing(sqlite3.connect(tmp_path / "router.db")) as sick:
            sick.execute(
                "CREATE TRIGGER sick BEFORE UPDATE OF state ON deliveries"
                " WHEN new.reason LIKE '%no longer in the rules'"
                " BEGIN SELECT raise(ABORT, 'the disk is sick'); END"
            )
            running.rules.write_text(rules(far_end.url))
            wait_until(lambda: "the disk is sick" in running.log.read_text())
            sick.execute("DROP TRIGGER sick")
        failed = wait_until(lambda: running.get("/api/deliveries?state=failed")[1]["items"])
        reasons = [(one["channel"], one["reason"]) for one in failed]
        assert reasons == [("c1", "its channel is no longer in the rules")]
    finally:
        running.stop()


def somebody(number: int) -> tuple[str, ...]:
    """Somebody else than root, whom no limit holds, and who has no other process; but able to read
    Python where root has it."""
    return (
        *("setpriv", f"--reuid={64_000 + number}", "--regid=64000", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    )


def start_with_threads(running: Running, most: int) -> None:
    """Start it where the system gives it no more threads than these."""
    limited = [*(somebody(most) if os.geteuid() == 0 else ()), "prlimit", f"--nproc={most}"]
    with running.log.open("ab") as log:
        running.process = subprocess.Popen(
            [*limited, sys.executable, "-m", "router", "serve"],
            env=running.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=running.folder,
        )


def test_a_limit_of_threads_makes_channels_slower_and_none_silent(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    running = Running(tmp_path, rules(far_end.url, channels=30), {"HOME": str(tmp_path)})
    start_with_threads(running, 14)
    try:
        wait_until(lambda: running.get("/readyz")[0] == 200)
        for case in range(10):
            assert running.post({"trigger": "case_created", "case_id": case})[0] == 202
        wait_until(lambda: len({p.path for p in far_end.posted}) == 30)
        wait_until(lambda: len(far_end.posted) >= 300)
        assert running.get("/livez")[0] == 200
        assert "no_more_threads" in running.log.read_text()
    finally:
        running.stop()


@pytest.mark.parametrize("most", [2, 3, 5, 6, 7, 8])
def test_too_few_threads_for_those_that_must_live_end_it_at_once_in_words(
    tmp_path: Path, far_end: HttpFarEnd, most: int
) -> None:
    running = Running(tmp_path, rules(far_end.url), {"HOME": str(tmp_path)})
    start_with_threads(running, most)
    assert running.process is not None
    try:
        assert running.process.wait(30) == 1
        assert "it cannot start: the system gives this process no more threads" in (
            running.log.read_text()
        )
    finally:
        running.kill()


def test_a_process_that_only_receives_says_that_nobody_delivers(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    running = Running(tmp_path, rules(far_end.url), {})
    running.start("--role", "receive")

    def oldest_due() -> float:
        text = running.get("/metrics")[1]
        return float(next(re.finditer(r"^router_oldest_due_seconds (\S+)", text, re.M))[1])

    try:
        assert oldest_due() == 0.0
        assert running.post({"trigger": "case_created", "case_id": 1})[0] == 202
        wait_until(lambda: oldest_due() > 1.0)
        (waits,) = running.deliveries()
        assert waits["reason"].endswith("or no process delivers")
        assert running.get("/readyz")[0] == 200
        running.stop()
        running.start("--role", "deliver")
        wait_until(lambda: far_end.posted)
        wait_until(lambda: oldest_due() == 0.0)
    finally:
        running.stop()


def test_the_secret_is_not_in_what_is_logged_about_ended_threads(
    tmp_path: Path, far_end: HttpFarEnd
) -> None:
    running = start(tmp_path, rules(far_end.url))
    strike(running, "end", "worker-clock")
    arrives(running, far_end, 1)
    wait_until(lambda: "thread_started_again" in running.log.read_text())
    running.stop()
    log = running.log.read_text()
    assert SECRET not in log
