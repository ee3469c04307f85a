"""router doctor"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from router.cli.edge import ask_ready, echo_json, read_text
from router.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.doctor import Finding
    from router.rulebook import Built
    from router.rules import Ruleset
    from router.settings import Settings

T = TypeVar("T")

PATIENCE = 12.0
"""Seconds that all questions together may take."""
_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
@click.option("--no-network", is_flag=True, help="Do not connect to the channels' far ends.")
def command(*, as_json: bool, no_network: bool) -> None:
    """Look at everything the service needs, and say what to do about what is not well.

    Settings, rules, templates, secrets, the database, disk and clock, a running service, and
    whether each channel's far end can be reached: connections are made, nothing is sent. Exit 0 if
    nothing is a fault, 1 otherwise.

    \b
    Example:
      router doctor
      router doctor --json --no-network
    """
    findings = _examine(network=not no_network)
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        echo_json({"well": not faults, "findings": findings})
    else:
        _show(findings)
    sys.exit(1 if faults else 0)


def _examine(*, network: bool) -> list[Finding]:
    from router.doctor import (  # noqa: PLC0415
        Finding,
        of_channels,
        of_ledger,
        of_rules,
        of_settings,
    )
    from router.ledger import Looked  # noqa: PLC0415

    try:
        settings = read_settings(os.environ, read_text)
    except SettingsError as error:
        # Nothing else can be known: where the rules and the database are stands there.
        advice = "correct it in the environment"
        return [Finding("settings", "fault", t, advice) for t in str(error).splitlines()]
    now = time.time()
    capture = settings.outbound == "capture"
    findings = list(of_settings(settings))
    found = _rules(settings)
    ruleset = found.ruleset
    findings += of_rules(settings.rules, found.problems, ruleset, capture)
    readable = not any(f.about == "TLS" and f.state == "fault" for f in findings)
    connect = network and readable and ruleset is not None
    answers = _ask(settings, ruleset if connect else None, now)
    fault = f"it did not answer within {PATIENCE:.0f} s"
    hung = Looked(place="the database", fault=fault, cause="silent")
    looked = answers.get("database", hung)
    findings += of_ledger(looked, now)
    findings.append(_of_service(settings, answers.get("service")))
    if ruleset is not None and "channels" in answers:
        findings += of_channels(answers["channels"], ruleset, looked, now, capture)
    elif connect:
        text = f"they could not be asked within {PATIENCE:.0f} s"
        findings.append(Finding("channels", "fault", text, "this machine is busy: run it again"))
    return [_without_secrets(finding, settings, found) for finding in findings]


def _rules(settings: Settings) -> Built:
    """The rules as the service would load them, with their tests run."""
    from router.delivery import formats, inspect  # noqa: PLC0415 - not for `--help`
    from router.rulebook import build, prove, read_files  # noqa: PLC0415

    built = build(
        read_files(settings.rules, settings.templates),
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound=settings.outbound,
    )
    return prove(built, formats)


def _ask(settings: Settings, ruleset: Ruleset | None, now: float) -> dict[str, Any]:
    """Ask the database, the service, and (with a ruleset) its channels' far ends, side by side."""
    from router.delivery import probe  # noqa: PLC0415 - not for `--help`
    from router.ledger import look  # noqa: PLC0415

    asked: dict[str, Callable[[], Any]] = {
        "database": lambda: look(settings.database_url, now),
        "service": lambda: ask_ready(settings),
    }
    if ruleset is not None:
        asked["channels"] = lambda: probe(
            ruleset.channels, ca_bundle=settings.ca_bundle, redactor=ruleset.redactor()
        )
    return _side_by_side(asked)


def _side_by_side(asked: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """The answers that came in time; who hangs is left behind."""
    answers: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE

    def ask(name: str, function: Callable[[], Any]) -> None:
        answers[name] = function()

    threads = [
        threading.Thread(target=ask, args=(name, function), daemon=True)
        for name, function in asked.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def _of_service(settings: Settings, answer: tuple[int, list[str]] | None) -> Finding:
    from router.doctor import Finding  # noqa: PLC0415 - not for `--help`

    where = f"{settings.host}:{settings.port}"
    if answer is None:
        return Finding("service", "ok", f"none answers on {where}; `router serve` starts it")
    status, reasons = answer
    if status == 200:
        return Finding("service", "ok", f"one runs on {where} and is ready")
    if reasons:
        advice = "its log says more"
        return Finding("service", "fault", f"one runs on {where}: {'; '.join(reasons)}", advice)
    text = f"something else answers on {where} ({status or 'no HTTP'})"
    return Finding("service", "warning", text, "set another ROUTER_PORT, or stop it")


def _without_secrets(finding: Finding, settings: Settings, found: Built) -> Finding:
    from router.doctor import Finding  # noqa: PLC0415 - not for `--help`
    from router.secret import Redactor  # noqa: PLC0415

    known = [*settings.secrets(), *(found.ruleset.secrets() if found.ruleset else ())]
    scrub = Redactor(known).scrub
    advice = None if finding.advice is None else scrub(finding.advice)
    return Finding(finding.about, finding.state, scrub(finding.text), advice)


def _show(findings: Sequence[Finding]) -> None:
    from router.cli.paper import beside, fold, width  # noqa: PLC0415 - not for `--help`

    columns = width()
    names = max(len(finding.about) for finding in findings)
    names = min(names, 36 if columns is None else max(12, columns // 3))
    for finding in findings:
        word = click.style(f"{finding.state:7}", fg=_COLOURS[finding.state])
        said = beside(finding.about, names, fold(finding.text, names + 11, columns), None)
        click.echo(f"{word}  {said}")
        if finding.advice:
            click.echo(" " * (names + 11) + fold(f"= {finding.advice}", names + 13, columns))
    faults = sum(finding.state == "fault" for finding in findings)
    doubts = sum(finding.state == "warning" for finding in findings)
    told = [f"{faults} fault{'s' * (faults != 1)}"] if faults else []
    told += [f"{doubts} warning{'s' * (doubts != 1)}"] if doubts else []
    click.echo("\n" + (" and ".join(told) or "all is well"))
