"""The rules in force: whatever happens while others are read, they stay, and a problem says it."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hands import locked
from router.in_force import Rules
from router.ledger import Ledger, LedgerUnavailable, open_ledger
from router.loaded import Loaded, NoRules
from router.secret import Redactor, Secret
from router.settings import read_settings

RULES = """\
version: 1
sources: { atfinity: { secret: s } }
channels: { ops: { webhook: { url: https://hooks.example/x } } }
rules:
  - { name: all, when: { trigger: case_created }, notify: ops, title: "TITLE" }
"""


class Disk:
    """Reads the files of secrets, or fails as it is asked to."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def read(self, path: str) -> str:
        if self.failure is not None:
            raise self.failure
        return "a-secret"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), lambda: 1_770_000_000.0)
    yield opened
    opened.close()


def rules_in(folder: Path, ledger: Ledger, disk: Disk, text: str = RULES) -> Rules:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    environment = {"ROUTER_RULES": str(path), "ROUTER_OUTBOUND": "live"}
    settings = read_settings(environment, disk.read)
    return Rules(settings, environment, disk.read, ledger, Redactor(()))


FROM_FILE = RULES.replace("secret: s ", 'secret: "${file:/run/secret}" ')


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(RuntimeError("can't start new thread"), id="RuntimeError"),
        pytest.param(MemoryError(), id="MemoryError"),
        pytest.param(AssertionError("hunter2"), id="AssertionError"),
        pytest.param(RecursionError(), id="RecursionError"),
    ],
)
def test_a_failure_of_the_router_itself_is_a_problem_and_the_rules_stay(
    tmp_path: Path, ledger: Ledger, failure: Exception
) -> None:
    disk = Disk()
    rules = rules_in(tmp_path, ledger, disk, FROM_FILE)
    before = rules.current
    disk.failure = failure
    loaded = rules.load()
    assert loaded.outcome == "broken"
    assert type(failure).__name__ in loaded.problems[-1].text
    assert "the rules in force stay" in loaded.report("rules.yaml")
    assert "hunter2" not in loaded.report("rules.yaml")
    assert rules.current is before
    disk.failure = None
    assert rules.load().outcome == "unchanged"


def test_loads_that_come_together_wait_for_a_locked_database_once(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ledger.writer.PATIENCE", 3.0)
    rules = rules_in(tmp_path, ledger, Disk())
    before = rules.current
    ledger.start()
    loads: list[Loaded] = []
    threads = [threading.Thread(target=lambda: loads.append(rules.load())) for _ in range(3)]
    with locked(tmp_path / "router.db"):
        (tmp_path / "rules.yaml").write_text(RULES.replace("TITLE", "another"), encoding="utf-8")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(loads) == 3
        assert all(one is rules.last for one in loads)  # two were told what the first one met
        assert (rules.last.outcome, rules.last.fault) == ("unwritten", "database is locked")
        assert rules.current is before
        assert rules.changed_on_disk()  # so it is tried again
    assert rules.load().outcome == "changed"


def test_rules_that_cannot_be_written_down_at_the_start_are_no_fault_of_theirs(
    tmp_path: Path, ledger: Ledger
) -> None:
    with (
        locked(tmp_path / "router.db"),
        pytest.raises(LedgerUnavailable, match="database is locked"),
    ):
        rules_in(tmp_path, ledger, Disk())


def test_a_passing_lack_is_tried_again_at_the_next_look(tmp_path: Path, ledger: Ledger) -> None:
    disk = Disk()
    rules = rules_in(tmp_path, ledger, disk, FROM_FILE)
    assert not rules.changed_on_disk()
    disk.failure = MemoryError()
    rules.load()
    assert rules.changed_on_disk()
    disk.failure = None
    rules.load()
    assert not rules.changed_on_disk()


def test_at_start_a_failure_is_said_in_words(tmp_path: Path, ledger: Ledger) -> None:
    disk = Disk()
    (tmp_path / "rules.yaml").write_text(FROM_FILE, encoding="utf-8")
    environment = {"ROUTER_RULES": str(tmp_path / "rules.yaml")}
    settings = read_settings(environment, disk.read)
    disk.failure = AssertionError()
    with pytest.raises(NoRules, match="the router itself failed while reading these rules"):
        Rules(settings, environment, disk.read, ledger, Redactor(()))


def test_a_name_that_is_not_utf_8_leaves_the_rules_in_force(tmp_path: Path, ledger: Ledger) -> None:
    rules = rules_in(tmp_path, ledger, Disk())
    before = rules.current
    (tmp_path / "templates").mkdir()
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/templates/Pr\xfcfung.txt.j2"))
    odd.touch()
    assert rules.changed_on_disk()
    loaded = rules.load()
    assert loaded.outcome == "broken"
    assert "templates/Pr\\xfcfung.txt.j2" in loaded.report("rules.yaml")
    assert rules.current is before
    odd.unlink()
    assert rules.load().outcome == "unchanged"


def test_rules_that_turn_out_broken_leave_nothing_open(tmp_path: Path, ledger: Ledger) -> None:
    disk = Disk()
    rules = rules_in(tmp_path, ledger, disk)

    def fail_in_every_way() -> None:
        path = tmp_path / "rules.yaml"
        path.write_text(RULES.replace("TITLE", "{{ nothing }}"), encoding="utf-8")
        assert rules.load().outcome == "broken"
        path.write_text(RULES.replace("webhook", "pigeon"), encoding="utf-8")
        assert rules.load().outcome == "broken"
        path.write_text(FROM_FILE, encoding="utf-8")
        disk.failure = AssertionError()
        assert rules.load().outcome == "broken"

    fail_in_every_way()
    gc.collect()
    descriptors, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(10):
        fail_in_every_way()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    assert threading.active_count() <= threads
