"""The commands, as they are typed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from far_end import Answer, HttpFarEnd, wait_until
from router.cli import COMMANDS
from running import Running
from typed import ROOT, SAMPLE, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Running


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "router", "--help"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    ).stderr  # fmt: skip
    for heavy in ("sqlalchemy", "litestar", "apprise", "jinja2", "pydantic", "yaml", "rich"):
        assert f" {heavy}\n" not in imported


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout


def test_an_unknown_command_is_answered_with_a_guess() -> None:
    done = run("chek")
    assert done.returncode == 2
    assert "did you mean `check`?" in done.stderr


def test_check_passes_the_shipped_rules_and_says_so() -> None:
    done = run("check", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no problems in rules.yaml: 14 rules, 6 channels\n"


def test_check_tells_problems_in_three_forms() -> None:
    bad = "tests/bad_rules/unknown_key.yaml"
    text = run("check", bad, SECRET="a-secret")
    assert text.returncode == 1
    assert f"{bad}:10:5: unknown key `serverity` in rule `one`" in text.stdout
    as_json = json.loads(run("check", bad, "--format", "json", SECRET="a-secret").stdout)
    assert (as_json[0]["line"], as_json[0]["column"]) == (10, 5)
    github = run("check", bad, "--format", "github", SECRET="a-secret").stdout
    assert github.startswith(f"::error file={bad},line=10,col=5::unknown key")


def test_check_lets_warnings_pass_unless_strict() -> None:
    bad = "tests/bad_rules/unused_channel.yaml"
    assert run("check", bad, SECRET="a-secret").returncode == 0
    assert run("check", bad, "--strict", SECRET="a-secret").returncode == 1
    assert run("check", bad, "--format", "yaml").returncode == 2


def test_a_wrong_setting_is_wrong_usage() -> None:
    done = run("check", ROUTER_PORT="x")
    assert done.returncode == 2
    assert done.stderr.startswith("ROUTER_PORT: `x` is not a port")


def test_explain_says_why_each_rule_speaks_or_not() -> None:
    done = run("explain", str(SAMPLE))
    assert done.returncode == 0
    assert "case_state_changed  KYC-1042  kyc_process: in_review -> approved" in done.stdout
    assert "trigger is `case_state_changed`, not `case_approved`" in done.stdout
    told = json.loads(run("explain", str(SAMPLE), "--json").stdout)
    assert [d["rule"] for d in told["decisions"] if d["matched"]] == ["review finished"]


def test_preview_shows_the_messages_per_channel() -> None:
    done = run("preview", str(SAMPLE), "--channel", "kyc-team")
    assert done.returncode == 0
    assert "KYC-1042 Nordlicht Holding AG: In review to Approved" in done.stdout
    told = json.loads(run("preview", str(SAMPLE), "--json").stdout)
    assert [one["channel"] for one in told] == ["kyc-team", "compliance"]
    assert told[1]["captured"]["mime"].startswith("Subject: KYC-1042")
    assert run("preview", str(SAMPLE), "--channel", "kyc").returncode == 2


def test_a_file_that_is_no_event_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    done = run("explain", str(tmp_path / "x.json"))
    assert done.returncode == 1
    assert done.stderr.endswith("x.json: the body is JSON, but not an object\n")
    assert "cannot read" in run("explain", "nothing.json").stderr


def test_a_token_is_long_and_new_each_time() -> None:
    first, second = run("token").stdout.strip(), run("token").stdout.strip()
    assert len(first) >= 40
    assert first != second


RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels: {{ sink: {{ webhook: {{ url: {url}/in }} }} }}
rules:
  - {{ name: all, when: always, notify: sink, title: "{{{{ case_user_readable_id }}}}" }}
"""
EVENT = {"trigger": "case_comment", "case_id": 1, "case_user_readable_id": "KYC-1"}


def test_history_resend_and_send_test_beside_a_running_service(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far:
        far.answers.append(Answer(404))
        running = router(RULES.format(url=far.url))
        running.post(EVENT)
        wait_until(lambda: running.deliveries("state=failed"))
        assert "404 Not Found" in running.command("deliveries", "--state", "failed").stdout
        told = json.loads(running.command("events", "--case", "KYC-1", "--json").stdout)
        assert told[0]["deliveries"][0]["state"] == "failed"
        explained = running.command("explain", "1").stdout
        assert '-> sink  "KYC-1"' in explained
        assert "every event matches" in explained
        dry = running.command("resend", "--state", "failed", "--dry-run").stdout
        assert dry.endswith("1 would be sent again\n")
        done = running.command("resend", "--state", "failed", "--since", "1d", "--yes")
        assert "sent again as delivery 2" in done.stdout
        wait_until(lambda: running.deliveries("state=sent"))
        assert running.command("resend").returncode == 2
        assert running.command("resend", "99").returncode == 1
        test = running.command("send-test", "sink")
        assert test.returncode == 0
        assert "sink: delivered (200)" in test.stdout
        assert test.stdout.endswith("\nit answered: ok\n")
        assert json.loads(far.posted[-1].body)["message"]["title"] == "A test from the router"
        far.answers.append(Answer(500))
        assert running.command("send-test", "sink").returncode == 1
        assert "did you mean `sink`?" in running.command("send-test", "sinc").stderr
        assert running.command("healthcheck").stdout == "ready\n"
        running.stop()
        assert running.command("healthcheck").returncode == 1


def test_several_processes_share_the_work_and_stop_together(tmp_path: Path) -> None:
    from running import Running  # noqa: PLC0415 - started in its own way

    with HttpFarEnd() as far:
        running = Running(tmp_path, RULES.format(url=far.url), {})
        running.start("--workers", "2")
        for case in range(60):
            assert running.post({**EVENT, "case_id": case})[0] == 202
        wait_until(lambda: len(running.deliveries("state=sent")) == 60)
        assert len(far.posted) == 60
        assert running.stop() == 0


SIGNALLED = """version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { c: { webhook: { url: "http://127.0.0.1:9/" } } }
rules: [{ name: all, when: always, notify: c }]
"""
# Each process says that it is there with one write of its own: two lines never become one.
WORKERS = (
    "import os, time; from router.cli.workers import run_workers; from router.settings import *;"
    " raise SystemExit(run_workers(Settings(port=0), 2,"
    " lambda _: os.write(1, b'%d\\n' % os.getpid()) and time.sleep(60)))"
)


def test_a_process_that_is_stopped_while_it_starts_is_no_failure() -> None:
    with subprocess.Popen([sys.executable, "-c", WORKERS], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            pids = [int(process.stdout.readline()) for _ in range(2)]
            process.terminate()
            assert process.wait(20) == 0
            assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        finally:
            process.kill()


def test_another_process_is_started_though_nobody_reads_any_more_that_one_ended() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-c", WORKERS], stdout=subprocess.PIPE, stderr=writing
    ) as process:
        os.close(writing)
        try:
            assert process.stdout is not None
            pids = [int(process.stdout.readline()) for _ in range(2)]
            os.kill(pids[0], signal.SIGKILL)
            assert int(process.stdout.readline()) not in pids
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_processes_whose_first_one_was_killed_stop_as_well() -> None:
    """With nobody to start another, and the port in use, the next start would fail."""
    pids: list[int] = []
    with subprocess.Popen([sys.executable, "-c", WORKERS], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            pids += [int(process.stdout.readline()) for _ in range(2)]
            process.kill()
            # The pipe ends when the last process that holds it has ended.
            assert process.communicate(timeout=20)[0] == b""
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()


def _wait_for_signals(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has said what its signals mean: SIGUSR2 last."""
    path = Path(f"/proc/{process.pid}/status")
    last = 1 << (signal.SIGUSR2 - 1)  # SIGHUP is ignored already where CI runs under nohup
    wait_until(lambda: int(path.read_text().partition("SigIgn:")[2].split()[0], 16) & last)


def test_signals_that_come_while_it_starts_end_nobody(tmp_path: Path) -> None:
    running = Running(tmp_path, SIGNALLED, {"ROUTER_OUTBOUND": "capture"})
    process = subprocess.Popen(
        [sys.executable, "-m", "router", "serve"], env=running.environment, cwd=tmp_path
    )
    running.process = process
    try:
        _wait_for_signals(process)
        while running.get("/readyz")[0] != 200:
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                process.send_signal(number)
            assert process.poll() is None
    finally:
        running.stop()


def test_a_stop_while_it_starts_is_no_failure(tmp_path: Path) -> None:
    running = Running(tmp_path, SIGNALLED, {"ROUTER_OUTBOUND": "capture"})
    with subprocess.Popen(
        [sys.executable, "-m", "router", "serve"], env=running.environment, cwd=tmp_path
    ) as process:
        _wait_for_signals(process)
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("forks", [0, 1, 2])
def test_a_stop_at_any_moment_of_the_start_leaves_no_process_behind(forks: int) -> None:
    """The parent is told to stop just after it has forked so many processes."""
    stop = (
        "fork = os.fork; made = []\n"
        "def and_stop():\n"
        "    child = fork()\n"
        "    made.append(child)\n"
        f"    if child and len(made) == {forks}: os.kill(os.getpid(), 15)\n"
        "    return child\n"
        "os.fork = and_stop\n"
        "import router.cli.workers as workers, signal\n"
        f"if not {forks}:\n"
        "    set_handler = signal.signal\n"
        "    def set_and_stop(number, handler):\n"
        "        set_handler(number, handler)\n"
        "        if number == 1 and not made: os.kill(os.getpid(), 15)\n"
        "    signal.signal = set_and_stop\n"
    )
    code = (
        "import os, time\n" + stop + "from router.settings import *\n"
        "raise SystemExit(workers.run_workers(Settings(port=0), 2, lambda _: time.sleep(60)))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            # The pipe ends when the last process that holds it has: also those that were forked.
            out, _ = process.communicate(timeout=20)
            assert (out, process.returncode) == (b"", 0)
        finally:
            process.kill()


@pytest.mark.parametrize("files", [8, 12, 20, 40, 63])
def test_a_service_that_may_open_too_few_files_says_so(tmp_path: Path, files: int) -> None:
    settings = {"ROUTER_OUTBOUND": "capture", "ROUTER_DATABASE_URL": f"sqlite:///{tmp_path}/r.db"}
    done = subprocess.run(
        ["sh", "-c", f'ulimit -n {files}; exec "$0" -m router serve', sys.executable],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"may have {files} files and connections open" in done.stderr
    assert "ulimit -Hn" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_gets_no_threads_says_so(tmp_path: Path) -> None:
    none = (
        "import sys, threading\n"
        'def refuse(_): raise RuntimeError("can\'t start new thread")\n'
        "threading.Thread.start = refuse\n"
        "from router.cli import main\n"
        "main(['serve'])"
    )
    settings = {"ROUTER_OUTBOUND": "capture", "ROUTER_DATABASE_URL": f"sqlite:///{tmp_path}/r.db"}
    done = subprocess.run(
        [sys.executable, "-c", none],
        env={**os.environ, **settings, "ROUTER_PORT": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "it cannot start: the system gives this process no more threads" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("version: 1\nruels: []\n")
    settings = {"ROUTER_RULES": str(tmp_path / "rules.yaml"),
                "ROUTER_DATABASE_URL": f"sqlite:///{tmp_path / 'r.db'}"}  # fmt: skip
    done = run("serve", **settings)
    assert done.returncode == 1
    assert "did you mean `rules`?" in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "rules.yaml").write_text((ROOT / "rules.yaml").read_text(encoding="utf-8"))
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    done = run("serve", **settings)
    assert done.returncode == 1
    assert "source `atfinity`: `secret` is empty; nobody could post" in done.stderr
    assert "channel `kyc-team`: `token` is empty" in done.stderr
    assert "channel `compliance`: `password` is empty" in done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", ROUTER_PORT=str(taken.getsockname()[1]), ROUTER_OUTBOUND="capture")
        assert done.returncode == 1
        assert "cannot listen on 127.0.0.1" in done.stderr
        assert "Traceback" not in done.stderr
    done = run("serve", ROUTER_DATABASE_URL="sqlite:////nowhere/r.db")
    assert done.returncode == 1
    assert "there is no folder" in done.stderr
