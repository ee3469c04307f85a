"""The log's writer: nobody waits for it, and every line that is lost is counted and told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from far_end import wait_until
from router.log_writer import MAX_WAITING, LogWriter
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
FULL = "/dev/full"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_that_nobody_can_read_any_more_are_counted(pipe: tuple[int, int]) -> None:
    log, lost = _counted(os.dup(pipe[1]))
    os.dup2(pipe[1], pipe[0])  # the reader ends
    for number in range(3):
        log.write(f"line {number}")
    log.flush()
    assert lost() == 3


def test_lines_that_a_full_disk_does_not_take_are_counted_and_told_once_it_takes_more(
    tmp_path: Path,
) -> None:
    full = os.open(FULL, os.O_WRONLY)
    log, lost = _counted(full)
    log.write("a line\nwith a traceback")
    log.write("another")
    log.flush()
    assert lost() == 2
    with (tmp_path / "log").open("w+") as file:
        os.dup2(file.fileno(), full)  # there is room again
        log.write("and on")
        log.flush()
        told = "2 lines of the log dropped: nobody read them, or they could not be written"
        file.seek(0)
        assert file.read().splitlines() == [told, "and on"]
    assert lost() == 2


def test_a_line_that_was_cut_off_is_lost_and_what_follows_begins_on_a_line_of_its_own(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    descriptor = os.dup(pipe[1])
    log, lost = _counted(descriptor)
    log.write("whole")
    log.write("x" * 200_000)
    assert os.read(pipe[0], len("whole\n")) == b"whole\n"
    assert os.read(pipe[0], 10_000).startswith(b"x")
    os.dup2(pipe[1], pipe[0])  # the reader ends in the middle of the line
    log.flush()
    assert lost() == 1
    with (tmp_path / "log").open("w+") as file:
        os.dup2(file.fileno(), descriptor)
        log.write("and on")
        log.flush()
        file.seek(0)
        end_of_the_cut_off, notice, last = file.read().splitlines()
    assert (end_of_the_cut_off, last) == ("", "and on")
    assert notice.startswith("1 line of the log dropped")


def test_what_is_lost_before_somebody_counts_is_counted_as_well() -> None:
    log = LogWriter(os.open(FULL, os.O_WRONLY))
    log.write("the first line")
    log.flush()
    counts: list[int] = []
    log.count_drops(counts.append)
    assert counts == [1]


def test_lines_beyond_what_may_wait_are_counted(pipe: tuple[int, int]) -> None:
    log, lost = _counted(os.dup(pipe[1]))
    line = "x" * (MAX_WAITING // 4)
    for _ in range(8):
        log.write(line)
    assert lost() in {3, 4}  # one is in the hands of the thread, or not yet


def test_a_router_whose_log_cannot_be_written_goes_on_and_counts(tmp_path: Path) -> None:
    running = Running(tmp_path, RULES, {})
    running.log.symlink_to(FULL)
    try:
        running.start()
        before = _dropped(running)
        for case in range(5):
            assert running.post({"trigger": "case_created", "case_id": case})[0] == 202
        wait_until(lambda: _dropped(running) >= before + 5)
    finally:
        assert running.stop() == 0
    assert before > 0


def _counted(descriptor: int) -> tuple[LogWriter, Callable[[], int]]:
    counts: list[int] = []
    log = LogWriter(descriptor)
    log.count_drops(counts.append)
    return log, lambda: sum(counts)


def _dropped(running: Running) -> float:
    lines = running.get("/metrics")[1].splitlines()
    (line,) = (one for one in lines if one.startswith("router_log_lines_dropped_total "))
    return float(line.split()[1])
