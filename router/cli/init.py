"""router init"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from router.cli.edge import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.starter import Choices

_LOCAL = "Europe/Zurich"
_QUESTIONS: dict[str, tuple[str, str, str | None]] = {
    # option: what is asked, what holds without an answer, and the way of telling it belongs to
    "tell": (
        "How are people told? (slack, teams, email, webhook; several with commas)",
        "slack,email",
        None,
    ),
    "slack_to": ("Which Slack channel?", "#kyc", "slack"),
    "mail_host": ("Which mail server?", "smtp.bank.example", "email"),
    "mail_from": ("Mails come from", "router@bank.example", "email"),
    "mail_to": ("Mails go to", "compliance@bank.example", "email"),
    "process": (
        "Which process are the first rules about? (its key, or a pattern like kyc_*)",
        "kyc_process",
        None,
    ),
    "timezone": ("In which time zone are your office hours?", _LOCAL, None),
}


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(file_okay=False))
@click.option(
    "--tell",
    metavar="WAYS",
    help="How people are told: slack, teams, email, webhook; several with commas.",
)
@click.option("--slack-to", metavar="CHANNEL", help="The Slack channel, like #kyc.")
@click.option("--mail-host", metavar="HOST", help="The mail server.")
@click.option("--mail-from", metavar="ADDRESS", help="Where mails come from.")
@click.option("--mail-to", metavar="ADDRESS", help="Where mails go.")
@click.option("--process", metavar="KEY", help="The process that the first rules are about.")
@click.option("--timezone", metavar="ZONE", help="The time zone of the office hours.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="The port that is served on.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; what is not told is as usual.")
def command(directory: str, port: int, *, yes: bool, **given: str | None) -> None:
    """Write a working directory into DIR (this one, unless told): rules, templates, tests, secrets.

    A few questions are asked, unless options answer them, or there is no terminal. What is
    written passes `router check --strict` and `router test`, and can be served at once in capture
    mode. Nothing that is there is overwritten.

    \b
    Example:
      router init our-router
      router init our-router --yes --tell email --mail-to compliance@bank.example
    """
    from router.rulebook import schema_text  # noqa: PLC0415 - not for `--help`
    from router.starter import starter  # noqa: PLC0415

    choices = _choices(given, port, ask=not yes and sys.stdin.isatty())
    texts = starter(
        choices,
        secret=secrets.token_urlsafe(32),
        password=secrets.token_urlsafe(16),
        schema=schema_text(),
    )
    _check(texts)
    folder = Path(directory)
    in_the_way = [name for name in texts if (folder / name).exists()]
    if in_the_way:
        fail(f"in the way: {', '.join(in_the_way)}; nothing was written, name an empty folder")
    try:
        _write(folder, texts)
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
    click.echo(f"{folder} has " + ", ".join(sorted(texts)))
    into = f"cd {shlex.quote(directory)} && " if directory != "." else ""
    click.echo("\nNext: the README there, or at once:\n")
    click.echo(f"  {into}router test && set -a && . ./.env && set +a && router serve")


def _choices(given: Mapping[str, str | None], port: int, *, ask: bool) -> Choices:
    from router.starter import Choices  # noqa: PLC0415 - not for `--help`

    answers: dict[str, Any] = {}
    tell: tuple[str, ...] = ()
    for name, (question, usual, way) in _QUESTIONS.items():
        read: Callable[[str], Any] = _READERS.get(name, _text)
        needed = way is None or way in tell
        told = given.get(name)
        if told is not None and not needed:
            fail(f"--{name.replace('_', '-')} is for `{way}`, which --tell does not name", 2)
        if told is None and ask and needed:
            answers[name] = click.prompt(question, default=usual, value_proc=_asked(read))
        else:
            try:
                answers[name] = read(usual if told is None else told)
            except ValueError as error:
                fail(f"--{name.replace('_', '-')}: {error}", 2)
        tell = answers["tell"]
    return Choices(port=port, **answers)


def _asked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def answer(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    return answer


def _ways(text: str) -> tuple[str, ...]:
    from router.problem import suggest  # noqa: PLC0415 - not for `--help`
    from router.starter import WAYS  # noqa: PLC0415

    found = tuple(dict.fromkeys(text.replace(",", " ").lower().split()))
    for way in found:
        if way not in WAYS:
            raise ValueError(f"`{way}` is no way to tell people; {suggest(way, WAYS)}")
    if not found:
        raise ValueError(f"name at least one of {', '.join(WAYS)}")
    return found


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text.strip()).key
    except (ValueError, OSError, KeyError):
        raise ValueError(f"`{text}` is no time zone; write one like Europe/Zurich") from None


def _text(text: str) -> str:
    words = text.strip()
    if not words or not words.isprintable():
        raise ValueError("write some words on one line")
    return words


def _address(text: str) -> str:
    words = _text(text)
    if "@" not in words.strip("@"):
        raise ValueError(f"`{words}` is no mail address")
    return words


_READERS: dict[str, Callable[[str], Any]] = {
    "tell": _ways,
    "timezone": _zone,
    "mail_from": _address,
    "mail_to": _address,
}


def _check(texts: Mapping[str, str]) -> None:
    """End with what is wrong if these answers make rules that the service would not load."""
    from router.delivery import formats, inspect  # noqa: PLC0415 - not for `--help`
    from router.problem import report  # noqa: PLC0415
    from router.rulebook import Files, build, prove  # noqa: PLC0415

    templates = {
        name.removeprefix("templates/"): text
        for name, text in texts.items()
        if name.startswith("templates/")
    }
    files = Files("rules.yaml", {"rules.yaml": texts["rules.yaml"]}, templates)
    built = build(files, environment={}, read_file=str, inspect_channel=inspect, outbound="capture")
    found = prove(built, formats)
    if found.problems:
        verdict = "nothing was written; answer otherwise"
        fail(report(found.problems, built.files, "what would be rules.yaml", verdict), 2)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # What holds secrets is its owner's from the first moment; nothing is overwritten.
        mode = 0o600 if name == ".env" else 0o666
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
