"""router check"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from router.cli.edge import echo_json, read_text, settings_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.problem import Problem


@click.command()
@click.argument("rules", required=False)
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
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
    problems = in_order(found.problems)
    bad = [p for p in problems if strict or p.severity == "error"]
    if form == "json":
        echo_json([_plain(problem) for problem in problems])
    elif form == "github":
        for problem in problems:
            click.echo(_annotation(problem))
    elif problems:
        verdict = "the service would not load this" if bad else "the service would load this"
        click.echo(report(problems, found.files, name, verdict))
    else:
        click.echo(_summary(name, found.ruleset))
    sys.exit(1 if bad else 0)


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
        "severity": problem.severity,
        "text": problem.text,
        "notes": list(problem.notes),
    }


def _annotation(problem: Problem) -> str:
    where = problem.position
    text = "%0A".join([problem.text, *problem.notes])
    return f"::{problem.severity} file={where.file},line={where.line},col={where.column}::{text}"
