"""The command line: each command is a few lines over the functions that serve.

Commands are imported when they are called, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from router import __version__

COMMANDS = {
    "init": "write a working directory: rules, templates, tests, secrets",
    "serve": "run the service: receive, route and send",
    "check": "find every problem in the rules and templates",
    "test": "run the tests of the rules on a fake clock",
    "explain": "say why each rule spoke or stayed silent about an event",
    "preview": "show the messages an event would make, per channel",
    "events": "list the events that were received",
    "deliveries": "list the deliveries and what became of them",
    "resend": "send deliveries again",
    "mute": "silence a rule, channel, case or source, with an end and a reason",
    "unmute": "end a mute before its time",
    "send-test": "send one real message to a channel",
    "doctor": "look at all the service needs, and say what to do",
    "schema": "print the JSON Schema of rules.yaml, for editors",
    "backtest": "tell what new rules would have said otherwise about the events that came",
    "coverage": "tell which kinds of events there were, and which of them no rule speaks about",
    "graph": "draw who is told what: source, rule, channel",
    "token": "print a fresh secret",
    "openapi": "print the description of the API",
    "healthcheck": "ask a running service whether it is ready",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"router.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from router.problem import suggest  # noqa: PLC0415 - only for the error

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            ctx.fail(f"there is no command `{args[0]}`; {suggest(args[0], COMMANDS)}")


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="router")
def group() -> None:
    """Tell the right people what happens to atfinity cases, by rules they can read.

    Start with `router check`, then `router serve`. Settings come from the environment
    (ROUTER_RULES, ROUTER_DATABASE_URL, ROUTER_OUTBOUND, ...).
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line: exit 0 when all is well, 1 for a problem, 2 for wrong usage."""
    try:
        return group(arguments, prog_name="router")
    except Exception as error:
        from router.ledger import LedgerUnavailable  # noqa: PLC0415 - not for `--help`

        if not isinstance(error, LedgerUnavailable):
            raise
        click.echo(f"the database does not do its part: {error}", err=True)
        sys.exit(1)
