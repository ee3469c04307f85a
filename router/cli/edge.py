"""What the commands share: the environment, the ledger, the rules, and how answers are written."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from router.duration import read_moment
from router.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from router.event import Event
    from router.identity import Deed
    from router.ledger import Ledger
    from router.rules import Ruleset


def fail(text: str, code: int = 1) -> NoReturn:
    """Say what is wrong on stderr and end."""
    write_error(text)
    sys.exit(code)


def write_error(text: str) -> None:
    """Write a line to stderr; where it cannot be written, go on all the same."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def who_asks() -> str:
    """The name of the user at this terminal; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "command line"


def note_deed(ledger: Ledger, what: Deed, about: str, detail: str = "") -> None:
    """Write into the audit log what was done by a command."""
    from router.identity import Identity  # noqa: PLC0415 - not for `--help`

    ledger.people.audit(Identity(who_asks(), "operator", "command"), what, about, detail)


def settings_now() -> Settings:
    """The settings in the environment; ends with their faults."""
    try:
        return read_settings(os.environ, read_text)
    except SettingsError as error:
        fail(str(error), 2)


def read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def open_ledger_now(settings: Settings) -> Ledger:
    """The ledger that a service has made; ends in words if there is none or it does not open."""
    from router.ledger import LedgerError, SharedClock, open_ledger  # noqa: PLC0415 - not for `--help`

    clock = SharedClock(time.time, time.monotonic)
    try:
        return open_ledger(settings.database_url, clock, make=False)
    except LedgerError as error:
        fail(str(error))


def open_history(settings: Settings) -> Ledger | None:
    """The ledger if one was ever begun: looking at history must not make one."""
    from router.ledger import LedgerError, begun  # noqa: PLC0415 - not for `--help`

    try:
        there = begun(settings.database_url)
    except LedgerError as error:
        fail(str(error))
    return open_ledger_now(settings) if there else None


def read_since(text: str, option: str = "--since") -> float:
    """The moment an option says; ends in words if it makes no sense."""
    try:
        return read_moment(text, time.time())
    except ValueError as error:
        fail(f"{option}: {error}", 2)


def load_rules(settings: Settings, path: str | None = None) -> Ruleset:
    """The rules on disk, in capture mode (nothing will be sent); ends with their problems."""
    from router.delivery import inspect  # noqa: PLC0415 - not for `--help`
    from router.problem import report  # noqa: PLC0415
    from router.rulebook import build, read_files  # noqa: PLC0415

    name = path or settings.rules
    templates = None if path else settings.templates
    found = build(
        read_files(name, templates),
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound="capture",
    )
    if found.ruleset is None:
        fail(report(found.problems, found.files, name, "correct them first"))
    return found.ruleset


def rules_on_disk(settings: Settings) -> Ruleset | None:
    """The rules on disk if they are sound, for commands that do well without them."""
    from router.delivery import inspect  # noqa: PLC0415 - not for `--help`
    from router.rulebook import build, read_files  # noqa: PLC0415

    return build(
        read_files(settings.rules, settings.templates),
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound="capture",
    ).ruleset


def is_stored(event: str) -> bool:
    """Whether an EVENT argument is the id of a stored event, not a file."""
    return event.isascii() and event.isdigit() and not Path(event).exists()


def source_of(given: str | None, known: list[str]) -> str:
    """The source a file's event is said to be from; ends in words for one that is not there."""
    from router.problem import suggest  # noqa: PLC0415 - only for the error

    if given is not None and given not in known:
        fail(f"there is no source `{given}`; {suggest(given, known)}", 2)
    return given or next(iter(known), "file")


def read_event(path: str, source: str) -> Event:
    """An event from a JSON file (`-` is stdin); ends in words if it is none."""
    from router.event import Event, Undecodable, decode  # noqa: PLC0415 - not for `--help`

    try:
        body = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}; name a JSON file, or the id of a stored event")
    try:
        return Event(0, source, time.time(), body, decode(body))
    except Undecodable as fault:
        fail(f"{path}: {fault}")


def ask_ready(settings: Settings) -> tuple[int, list[str]] | None:
    """What the service on this machine answers when it is asked whether it is ready.

    Its status and its reasons; status 0 where what answers is no HTTP; None where nothing does.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        content = json.loads(answer.read())
        reasons = content.get("reasons", []) if isinstance(content, dict) else []
        return answer.status, [str(reason) for reason in reasons]
    except (http.client.HTTPException, ValueError):
        return 0, []
    except OSError:
        return None
    finally:
        connection.close()


def echo_json(value: Any) -> None:
    """Write a value as indented JSON."""
    plain = json.loads(msgspec.json.encode(value))
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on; ends in words if it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}")
    listening.listen(2048)
    listening.setblocking(False)
    return listening
