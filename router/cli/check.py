"""router check"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from router.cli.edge import echo_json, read_text, settings_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.problem import Problem


@click.command()
@click.argument("rules", required=False)
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="How problems are written.",
)
def command(rules: str | None, form: str, *, strict: bool) -> None:
    """Find every problem in RULES (default: ROUTER_RULES) and its templates, at once.

    Exit 0 without problems, 1 with, 2 for wrong usage.

    \b
    Example:
      router check
      router check new-rules.yaml --strict --format github
    """
    from router.delivery import formats, inspect  # noqa: PLC0415 - not for `--help`
    from router.problem import in_order, report  # noqa: PLC0415
    from router.rulebook import build, prove, read_files  # noqa: PLC0415

    settings = settings_now()
    name = rules or settings.rules
    files = read_files(name, None if rules else settings.templates)
    built = build(
        files,
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound=settings.outbound,
    )
    found = prove(built, formats)
    own = None if rules else settings.templates
    folder = Path(own) if own else Path(name).parent / "templates"
    problems = [_counted(_on_disk(one, folder), strict) for one in in_order(found.problems)]
    bad = [problem for problem in problems if problem.severity == "error"]
    if form == "json":
        echo_json([_plain(problem) for problem in problems])
    elif form == "github":
        for problem in problems:
            click.echo(_annotation(problem))
    elif problems:
        shown = {_path(file, folder): text for file, text in found.files.items()}
        click.echo(report(problems, shown, name, _verdict(bad, found.ruleset)))
    else:
        click.echo(_summary(name, found.ruleset))
    sys.exit(1 if bad else 0)


def _path(file: str, folder: Path) -> str:
    """A file as it is found on disk: templates are named by their folder alone."""
    inside = file.removeprefix("templates/")
    return str(folder / inside) if inside != file else file


def _on_disk(problem: Problem, folder: Path) -> Problem:
    where = problem.position
    position = msgspec.structs.replace(where, file=_path(where.file, folder))
    return msgspec.structs.replace(problem, position=position)


def _counted(problem: Problem, strict: bool) -> Problem:
    return msgspec.structs.replace(problem, severity="error") if strict else problem


def _verdict(bad: Sequence[Problem], ruleset: object) -> str:
    if not bad:
        return "the service would load this"
    if ruleset is not None:
        return "the service would load this, but --strict does not"
    return "the service would not load this"


def _summary(name: str, ruleset: object) -> str:
    rules: Sequence[object] = getattr(ruleset, "rules", ())
    channels: Sequence[object] = getattr(ruleset, "channels", ())
    return f"no problems in {name}: {len(rules)} rules, {len(channels)} channels"


def _plain(problem: Problem) -> dict[str, object]:
    where = problem.position
    return {
        "file": where.file,
        "line": where.line,
        "column": where.column,
        "length": where.length,
        "severity": problem.severity,
        "text": problem.text,
        "notes": list(problem.notes),
    }


def _annotation(problem: Problem) -> str:
    """A workflow command of GitHub's: what would end a line, or a property, is escaped."""
    where = problem.position
    text = _data("\n".join([problem.text, *problem.notes]))
    at = f"file={_property(where.file)},line={where.line},col={where.column}"
    return f"::{problem.severity} {at}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
