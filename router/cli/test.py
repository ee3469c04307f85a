"""router test"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from router.cli.edge import fail, read_text, settings_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.problem import Problem
    from router.rulebook import Built, Proved

LOOK_EVERY = 0.3
"""Seconds between two looks at the files with `--watch`."""
_NONE = """\
there are no tests in {name}; write some in it, or in a file like rules.test.yaml beside it:

tests:
  - name: an approved case is told
    event: {{ trigger: case_approved, case_name: Acme Corp }}
    expect:
      - {{ rule: {rule}, channel: {channel} }}

`router explain ID --as-test` writes one from an event that came"""


class _Wanted(msgspec.Struct, frozen=True):
    """What was asked for."""

    rules: str
    templates: str | None
    only: str | None
    coverage: bool
    strict: bool
    junit: str | None


@click.command()
@click.argument("rules", required=False)
@click.option("-k", "only", metavar="TEXT", help="Only the tests with this text in their name.")
@click.option("--coverage", is_flag=True, help="Name what no test reaches.")
@click.option("--strict", is_flag=True, help="Let what no test reaches fail too.")
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")
@click.option("--watch", is_flag=True, help="Run again whenever a file changes; Ctrl-C ends.")
def command(
    rules: str | None,
    only: str | None,
    junit: str | None,
    *,
    coverage: bool,
    strict: bool,
    watch: bool,
) -> None:
    """Run the tests of RULES (default: ROUTER_RULES): `tests:` in it and in *.test.yaml beside it.

    They run through the router's own engine on a fake clock; nothing is sent. Exit 0 when all
    pass, 1 when one fails or the rules have problems, 2 for wrong usage.

    \b
    Example:
      router test
      router test new-rules.yaml --coverage
      router test -k "stuck in review" --watch
    """
    settings = settings_now()
    name = rules or settings.rules
    if name.endswith(".test.yaml"):
        fail(f"{name} holds tests; name the rules file beside it that they are about", 2)
    templates = None if rules else settings.templates
    wanted = _Wanted(name, templates, only, coverage or strict, strict, junit)
    if not watch:
        sys.exit(0 if _run(wanted) else 1)
    try:
        while True:
            seen = _files(wanted)
            try:
                _run(wanted)
            except click.UsageError as error:
                click.echo(error.message)
            click.secho(f"waiting for a change of {name}; Ctrl-C ends", dim=True)
            while _files(wanted) == seen:
                time.sleep(LOOK_EVERY)
            click.echo("\n" + "-" * 72)
    except KeyboardInterrupt:
        click.echo()


def _files(wanted: _Wanted) -> object:
    from router.rulebook import read_files  # noqa: PLC0415 - not for `--help`

    return read_files(wanted.rules, wanted.templates)


def _run(wanted: _Wanted) -> bool:
    """Run and tell; returns whether all is well."""
    from router.delivery import formats, inspect  # noqa: PLC0415 - not for `--help`
    from router.problem import report  # noqa: PLC0415
    from router.rulebook import build, prove, read_files, unreached  # noqa: PLC0415

    name = wanted.rules
    sound = build(
        read_files(name, wanted.templates),
        environment=os.environ,
        read_file=read_text,
        inspect_channel=inspect,
        outbound="capture",
    )
    if sound.ruleset is None:
        errors = [problem for problem in sound.problems if problem.severity == "error"]
        told = report(errors, sound.files, name, "correct them first, then the tests can run")
        click.echo(told)
        _write(wanted, (), told)
        return False
    if not sound.tests:
        click.echo(_nothing(sound, name))
    tested = prove(sound, formats).tested
    chosen = [one for one in tested if (wanted.only or "") in one.test.name]
    if tested and not chosen:
        raise click.UsageError(f"no test has `{wanted.only}` in its name")
    _tell(chosen, sound, name)
    _write(wanted, chosen, None)
    missed = unreached(sound) if wanted.coverage else []
    if wanted.coverage:
        _tell_coverage(missed, sound, name)
    return all(one.passes for one in chosen) and not (wanted.strict and missed)


def _tell(tested: Sequence[Proved], found: Built, name: str) -> None:
    from router.problem import Problem, show  # noqa: PLC0415 - not for `--help`

    failed = [one for one in tested if not one.passes]
    for one in failed:
        problem = Problem(one.test.position, f"test `{one.test.name}` fails")
        click.echo(show(problem, found.files.get(one.test.position.file)))
        for line in one.diff:
            click.secho(f"    {line}".rstrip(), fg={"-": "red", "+": "green"}.get(line[:1]))
        for reason in one.reasons:
            click.echo(f"    = {reason}")
        click.echo()
    if tested:
        count = f"{len(tested)} test{'s' * (len(tested) != 1)} in {name}"
        click.echo(f"{count}: {len(tested) - len(failed)} passed, {len(failed)} failed")


def _tell_coverage(missed: Sequence[Problem], found: Built, name: str) -> None:
    from router.problem import in_order, show  # noqa: PLC0415 - not for `--help`

    click.echo()
    for problem in in_order(missed):
        click.echo(show(problem, found.files.get(problem.position.file)) + "\n")
    if missed:
        places = f"{len(missed)} place{'s' * (len(missed) != 1)}"
        click.echo(f"no test reaches {places} in {name}")
    else:
        click.echo("tests reach every rule, trigger and branch of `any`")


def _nothing(found: Built, name: str) -> str:
    rule = found.ruleset.rules[0] if found.ruleset is not None else None
    return _NONE.format(
        name=name,
        rule=rule.name if rule else "case approved",
        channel=rule.targets[0].channel if rule else "kyc-team",
    )


def _write(wanted: _Wanted, tested: Sequence[Proved], broken: str | None) -> None:
    from router.cli.junit import junit  # noqa: PLC0415 - not for `--help`

    if wanted.junit is None:
        return
    try:
        Path(wanted.junit).write_text(junit(wanted.rules, tested, broken), encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {wanted.junit}: {error.strerror}", 2)
