"""docs/commands.md is what the commands say of themselves; `make manual` writes it anew."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import click
import pytest

from router.cli import COMMANDS
from typed import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "commands.md"
HEAD = """\
# The commands

Every command answers `--help` with what stands here: this page is written from it (`make manual`).
They read the same settings as the service: see [operations.md](operations.md).
Exit status: 0 when all is well, 1 for a problem, 2 for wrong usage.
Lists and explanations fit the terminal; into a pipe every line is written whole.

| command | what it does |
|---|---|
"""


def manual() -> str:
    """The page, from the commands' help."""
    rows = "".join(
        f"| [`router {name}`](#router-{name}) | {told} |\n" for name, told in COMMANDS.items()
    )
    return HEAD + rows + "".join(_section(f"router {name}", _command(name)) for name in COMMANDS)


def _command(name: str) -> click.Command:
    found: click.Command = importlib.import_module(f"router.cli.{name.replace('-', '_')}").command
    return found


def _section(name: str, command: click.Command, level: str = "##") -> str:
    words, _, examples = (command.help or "").replace("\b", "").partition("Example:")
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [f"\n{level} {name}\n", f"`{name} {usage}`\n", *_sentences(words)]
    options = list(_options(command, context))
    if options:
        parts.append("| option | meaning |\n|---|---|\n" + "".join(options))
    shown = [line.strip() for line in examples.strip().splitlines()]
    if shown:
        parts.append("```sh\n" + "\n".join(shown) + "\n```\n")
    inner = getattr(command, "commands", {})
    parts += [_section(f"{name} {each}", inner[each], "###").lstrip("\n") for each in sorted(inner)]
    return "\n".join(parts)


def _sentences(words: str) -> Iterator[str]:
    """Paragraphs, one sentence a line."""
    for paragraph in words.strip().split("\n\n"):
        text = " ".join(paragraph.split())
        yield re.sub(r"(?<=[.]) (?=[A-Z])", "\n", text) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            named, told = (" ".join(part.split()).replace("|", "\\|") for part in record)
            yield f"| `{named}` | {told} |\n"


def test_the_page_says_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), "`make manual` writes it anew"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_every_option_is_explained(name: str) -> None:
    command = _command(name)
    for one in (command, *getattr(command, "commands", {}).values()):
        assert "Example:" in (one.help or "")
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.opts


if __name__ == "__main__":
    PAGE.write_text(manual(), encoding="utf-8")
