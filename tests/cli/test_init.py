"""`router init`: what it writes is right, can be served at once, and takes nobody's files away."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from far_end import wait_until
from typed import ROOT, run_in


def written(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([], id="as usual"),
        pytest.param(
            ["--tell", "webhook, teams", "--process", "o'\"nb: $x #_*", "--timezone", "Asia/Tokyo"],
            id="odd answers",
        ),
        pytest.param(
            ["--tell", "email", "--mail-host", "mail.example", "--mail-to", "A$1 <a@b.example>"],
            id="mail only",
        ),
    ],
)
def test_what_it_writes_passes_check_and_test(tmp_path: Path, given: list[str]) -> None:
    done = run_in(tmp_path, ["init", "new", "--yes", *given], {})
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "new"
    assert written(folder) == {
        *("rules.yaml", "rules.schema.json", "README.md", "compose.yaml", ".env", ".gitignore"),
        *("templates/case.txt.j2", "templates/case.slack.j2", "templates/case.html.j2"),
        "events/case_approved.json",
    }
    assert not [n for n in written(folder) if "%%" in (folder / n).read_text(encoding="utf-8")]
    assert run_in(folder, ["check", "--strict"], {}).returncode == 0
    tested = run_in(folder, ["test", "--coverage"], {})
    assert (tested.returncode, "no test reaches" in tested.stdout) == (0, False), tested.stdout
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    schema = (ROOT / "rules.schema.json").read_text(encoding="utf-8")
    assert (folder / "rules.schema.json").read_text(encoding="utf-8") == schema


def test_what_it_writes_can_be_served_at_once(tmp_path: Path) -> None:
    run_in(tmp_path, ["init", "."], {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = 'set -a; . ./.env; set +a; ROUTER_PORT="$1"; exec "$2" -m router serve'
    service = subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", str(port), sys.executable],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answer(f"{url}/readyz"))
        values = dict(re.findall(r"^(\w+)=(.*)$", (tmp_path / ".env").read_text(), re.MULTILINE))
        event = (tmp_path / "events" / "case_approved.json").read_bytes()
        posted = _answer(f"{url}/hooks/atfinity/{values['ATFINITY_SECRET']}", event)
        assert posted == {"event": 1, "deliveries": 2}
        listed = ["deliveries", "--state", "sent", "--json"]
        wait_until(lambda: len(json.loads(run_in(tmp_path, listed, {}).stdout)) == 2)
    finally:
        service.terminate()
        service.wait(30)


def _answer(url: str, body: bytes | None = None) -> Any:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=20) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def test_nothing_is_overwritten_and_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("mine")
    (tmp_path / ".env").write_text("MINE=1")
    done = run_in(tmp_path, ["init", "--yes"], {})
    assert done.returncode == 1
    assert "rules.yaml" in done.stderr
    assert ".env" in done.stderr
    assert "nothing was written" in done.stderr
    assert written(tmp_path) == {"rules.yaml", ".env"}
    assert (tmp_path / "rules.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--tell", "slak"], "`slak` is no way to tell people; did you mean `slack`?"),
        (["--timezone", "Europe/Zuerich"], "`Europe/Zuerich` is no time zone"),
        (["--mail-to", "nobody"], "`nobody` is no mail address"),
        (["--tell", "teams", "--slack-to", "#x"], "--slack-to is for `slack`"),
        (["--process", "[xy]"], "nothing was written"),
    ],
)
def test_answers_that_make_no_sense_are_refused_in_words(
    tmp_path: Path, given: list[str], words: str
) -> None:
    done = run_in(tmp_path, ["init", "new", "--yes", *given], {})
    assert done.returncode == 2
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_on_a_terminal_it_asks_and_asks_again(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, "-m", "router", "init", "new"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    os.write(ours, b"smoke\nemail\n\n\nboard@bank.example\nloans_*\n\n")
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    assert asked.wait(60) == 0
    os.close(ours)
    assert b"`smoke` is no way to tell people" in shown
    assert b"Which Slack channel" not in shown
    rules = (tmp_path / "new" / "rules.yaml").read_text()
    assert 'to: "board@bank.example"' in rules
    assert 'process_key: "loans_*"' in rules


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody is at the other end any more
        return b""
