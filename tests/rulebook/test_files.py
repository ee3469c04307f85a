"""Whatever lies beside the rules: it is read, left alone, or told in words; nothing stops there."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from far_end import wait_until
from router.rulebook import read_files
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable

RULES = """version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink, title: "{{ case_name }}", body: b }]
"""
ODD = b"Pr\374fung"


def bytes_path(folder: Path, name: bytes) -> bytes:
    return os.fsencode(folder) + b"/" + name


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def _highest() -> int:
    """The highest descriptor that this process has open."""
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


def problems(path: Path) -> list[str]:
    return [f"{p.position.file}: {p.text}" for p in read_files(str(path)).problems]


@pytest.mark.parametrize(
    ("place", "name", "shown"),
    [
        ("templates", ODD + b".txt.j2", "Pr\\xfcfung.txt.j2"),
        ("templates", b"a\nb.txt.j2", "a\\nb.txt.j2"),
        ("templates", b"a\x1b[31m.txt.j2", "a\\x1b[31m.txt.j2"),
        (".", ODD + b".test.yaml", "Pr\\xfcfung.test.yaml"),
        (".", b"a\x00"[:1] + b"\r.test.yaml", "a\\r.test.yaml"),
    ],
)
def test_a_name_that_cannot_be_shown_is_a_problem(
    rules: Path, place: str, name: bytes, shown: str
) -> None:
    with open(bytes_path(rules.parent / place, name), "wb") as file:  # noqa: PTH123 - bytes
        file.write(b"version: 1\n")
    (problem,) = problems(rules)
    assert f"{shown}: its name is not UTF-8" in problem
    assert problem.isprintable()


def test_an_included_file_of_such_a_name_is_a_problem(rules: Path) -> None:
    (rules.parent / "rules.d").mkdir()
    rules.write_text(RULES + "include: [rules.d/*.yaml]\n")
    with open(bytes_path(rules.parent / "rules.d", ODD + b".yaml"), "wb"):  # noqa: PTH123 - bytes
        pass
    (problem,) = problems(rules)
    assert "Pr\\xfcfung.yaml: its name is not UTF-8" in problem


def test_a_rules_file_of_such_a_name_is_a_problem(rules: Path) -> None:
    path = os.fsdecode(bytes_path(rules.parent, ODD + b".yaml"))
    (problem,) = read_files(path).problems
    assert "rename the file" in problem.text
    assert problem.position.file.isprintable()


LEFT = {
    "an editor's lock": lambda folder: (folder / ".#short.txt.j2").symlink_to("anna@desk.4711:1"),
    "a swap file": lambda folder: (folder / ".short.txt.j2").write_text("{% broken"),
    "a Mac's shadow": lambda folder: (folder / "._short.txt.j2").write_bytes(b"\xff\xfe"),
    "a ConfigMap's folder": lambda folder: (
        (folder / "..2026_11_30").mkdir(),
        (folder / "..2026_11_30" / "short.txt.j2").write_text("{% broken"),
    ),
    "a pipe": lambda folder: os.mkfifo(folder / "short.txt.j2"),
    "a link to nowhere": lambda folder: (folder / "short.txt.j2").symlink_to("/nowhere"),
    "a link to itself": lambda folder: (folder / "short.txt.j2").symlink_to("short.txt.j2"),
    "a folder": lambda folder: (folder / "short.txt.j2").mkdir(),
}


@pytest.mark.parametrize("leave", LEFT.values(), ids=LEFT)
def test_what_is_not_the_users_is_left_alone(rules: Path, leave: Callable[[Path], object]) -> None:
    leave(rules.parent / "templates")
    read = read_files(str(rules))
    assert (read.problems, read.templates) == ((), {})


def test_a_socket_is_left_alone(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rules.parent)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("templates/short.txt.j2")
        assert read_files(str(rules)).problems == ()


@pytest.mark.parametrize("special", ["/dev/zero", "/dev/stdin"])
def test_a_rules_file_that_is_none_is_told_and_never_waited_for(rules: Path, special: str) -> None:
    rules.unlink()
    rules.symlink_to(special)
    assert any("it is no file" in p or "larger" in p or "cannot be read" in p or "no such" in p
               for p in problems(rules))  # fmt: skip


def test_a_pipe_in_place_of_the_rules_is_told_and_never_waited_for(rules: Path) -> None:
    rules.unlink()
    os.mkfifo(rules)
    (problem,) = problems(rules)
    assert "it is no file, but a pipe, a socket or a device" in problem


def test_where_no_file_can_be_opened_it_is_a_problem_and_passes(rules: Path) -> None:
    (rules.parent / "templates" / "a.txt.j2").write_text("a")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (_highest() + 30, hard))
    try:
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        assert any("too many open files" in problem for problem in problems(rules))
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert problems(rules) == []


def test_where_no_folder_can_be_listed_no_include_is_dropped_in_silence(rules: Path) -> None:
    (rules.parent / "more").mkdir()
    (rules.parent / "more" / "one.yaml").write_text("rules: []\n")
    rules.write_text(RULES + "include: [more/*.yaml]\n")
    whole = read_files(str(rules))
    assert whole.problems == ()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (_highest() + 30, hard))
    try:
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        for _ in range(10):  # a descriptor more is free each time
            read = read_files(str(rules))
            errors = [one for one in read.problems if one.severity == "error"]
            assert errors or read == whole
            os.close(taken.pop())
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read_files(str(rules)) == whole


def test_the_service_goes_on_and_says_what_is_wrong(
    tmp_path: Path, router: Callable[..., Running]
) -> None:
    running = router(RULES)
    folder = tmp_path / "templates"
    folder.mkdir()
    odd = bytes_path(folder, ODD + b".txt.j2")
    with open(odd, "wb"):  # noqa: PTH123 - bytes
        pass
    wait_until(lambda: "rename the file" in running.log.read_text())
    assert running.post({"trigger": "case_created"})[0] == 202
    checked = running.command("check")
    assert checked.returncode == 1
    assert "Pr\\xfcfung.txt.j2" in checked.stdout + checked.stderr
    assert "Traceback" not in checked.stdout + checked.stderr
    os.unlink(odd)  # noqa: PTH108 - bytes
    wait_until(lambda: running.get("/readyz")[0] == 200)


@pytest.mark.parametrize(
    "title", ["{{ case_name|truncate(2) }}", "{{ 1e400|int }}", "{{ case_id|round(99999999) }}"]
)
def test_a_saved_title_that_fails_is_a_problem_and_the_rules_stay(
    title: str, router: Callable[..., Running]
) -> None:
    running = router(RULES)
    running.rules.write_text(RULES.replace("{{ case_name }}", title))
    wait_until(lambda: "rules_broken" in running.log.read_text())
    assert running.get("/livez")[0] == 200
    assert running.post({"trigger": "case_created", "case_id": 1})[0] == 202
    assert running.command("check").returncode == 1


def test_an_expression_that_fails_is_told_by_check_and_answers_no_post_with_503(
    router: Callable[..., Running],
) -> None:
    fails = RULES.replace("when: always", "when: { if: \"case_name|truncate(2) == 'x'\" }")
    running = router(RULES)
    running.rules.write_text(fails)
    checked = running.command("check")
    assert checked.returncode == 1
    assert "`if` fails for every event" in checked.stdout + checked.stderr
    assert running.post({"trigger": "case_created", "case_name": "Acme"})[0] == 202


def test_rules_that_are_replaced_all_the_time_stop_nothing(
    router: Callable[..., Running],
) -> None:
    running = router(RULES)
    for number in range(60):
        text = RULES.replace("name: all", f"name: all{number}") if number % 3 else "version: ["
        fresh = running.rules.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(running.rules)
        assert running.post({"trigger": "case_created", "case_id": number})[0] == 202
    running.rules.write_text(RULES.replace("name: all", "name: last"))
    wait_until(lambda: running.get("/api/rules")[1]["items"][0]["name"] == "last")
    assert running.get("/readyz")[0] == 200
