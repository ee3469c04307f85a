"""What `events`, `deliveries` and `resend` share: filters and tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from router.cli.edge import fail
from router.cli.paper import plain
from router.cli.table import Table
from router.duration import read_moment, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from router.ledger import DeliveryRow, EventRow, Filters, Ledger, Mute, Token
    from router.settings import Settings

F = TypeVar("F", bound="Callable[..., Any]")
_COLOURS = {"sent": "green", "failed": "red", "pending": "yellow", "rejected": "red"}
_STATES = ("pending", "sent", "failed", "cancelled", "suppressed")


class OneOf(click.ParamType[str]):
    """One of some words; anything else is answered with a guess."""

    name = "word"

    def __init__(self, kind: str, words: Collection[str]) -> None:
        self._kind = kind
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from router.problem import suggest  # noqa: PLC0415 - only for the error

        if value not in self._words:
            self.fail(f"there is no {self._kind} `{value}`; {suggest(value, self._words)}", param)
        return str(value)


def filter_options(function: F) -> F:
    """Add the options that narrow a list."""
    options = [
        click.option(
            "--state",
            type=OneOf("state", _STATES),
            metavar="STATE",
            help=f"Only deliveries in this state: {', '.join(_STATES)}.",
        ),
        click.option("--case", metavar="CASE", help="Only this case, like KYC-0042."),
        click.option("--channel", metavar="NAME", help="Only this channel."),
        click.option("--rule", metavar="NAME", help="Only this rule."),
        click.option("--trigger", metavar="NAME", help="Only this trigger, like case_approved."),
        click.option("--source", metavar="NAME", help="Only this source."),
        click.option("--since", metavar="TIME", help="From then on: 7d ago, 2026-03-01T08:00Z."),
        click.option("--until", metavar="TIME", help="Before then, written the same way."),
        click.option(
            "-q", "q", metavar="TEXT", help="Only events whose case or process holds this text."
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def list_options(function: F) -> F:
    """Add the filters, `--limit` and `--json`."""
    limit = click.option(
        "--limit",
        type=click.IntRange(1, 100_000),
        default=50,
        show_default=True,
        help="So many at most, the newest.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
    return filter_options(limit(as_json(function)))


def filters_of(given: Mapping[str, str | int | None]) -> Filters:
    """The filters that the options say; ends in words for those that make no sense."""
    from router.ledger import Filters  # noqa: PLC0415 - not for `--help`

    values: dict[str, Any] = dict(given)
    now = time.time()
    for name in ("since", "until"):
        if values.get(name) is not None:
            try:
                values[name] = read_moment(values[name], now)
            except ValueError as error:
                fail(f"--{name}: {error}", 2)
    since, until = values.get("since"), values.get("until")
    if since is not None and since > now:
        fail(f"--since: {given['since']} has not come yet", 2)
    if since is not None and until is not None and since >= until:
        fail(f"--since {given['since']} is not before --until {given['until']}", 2)
    return Filters(**values)


def explain_nothing(what: str, filters: Filters, ledger: Ledger, settings: Settings) -> None:
    """Say what to do about an empty list; ends with a guess where a name is not known."""
    from router.ledger import Filters  # noqa: PLC0415 - not for `--help`

    given = {n: v for n in _NAMED if (v := getattr(filters, n)) is not None}
    for kind, name in given.items():
        if not ledger.events(Filters(**{kind: name}, limit=1)):
            _refuse_unknown(kind, name, settings)
    if given or filters.state or filters.since or filters.until:
        click.echo(f"no {what} meet these filters; leave one out, or look further back")
    elif what == "events":
        click.echo(f"no events yet; let atfinity post to {settings.base_url}/hooks/SOURCE/SECRET")
    else:
        click.echo("no deliveries yet; `router events` shows what came in")


_NAMED = ("channel", "rule", "trigger", "source", "case", "q")


def _refuse_unknown(kind: str, name: str, settings: Settings) -> None:
    """End in words if a name is neither in the history nor in the rules on disk."""
    from router.cli.edge import rules_on_disk  # noqa: PLC0415 - only for an empty list
    from router.event import OWN, TRIGGERS  # noqa: PLC0415
    from router.problem import suggest  # noqa: PLC0415

    ruleset = rules_on_disk(settings)
    if ruleset is None or kind in ("case", "q"):
        return
    known = {
        "channel": list(ruleset.channels),
        "rule": [*(rule.name for rule in ruleset.rules), *(one.name for one in ruleset.watches)],
        "trigger": list(TRIGGERS),
        "source": [*ruleset.sources, OWN],
    }[kind]
    if name not in known:
        fail(f"there is no {kind} `{name}`; {suggest(name, known)}", 2)


def show_events(rows: Sequence[EventRow]) -> None:
    """Write events as a table."""
    table = Table("event", "received", "trigger", "case", "rules", "deliveries")
    for row in rows:
        told = ", ".join(f"{plain(d.channel)} {_coloured(d.state)}" for d in row.deliveries)
        if row.rejected is not None:
            told = f"{_coloured('rejected')}: {plain(row.rejected)}"
        names = (row.trigger or "-", row.case_ref or "-")
        table.add_row(str(row.id), ago(row.received_at), *names, str(row.matched), told)
    table.show()


def show_deliveries(rows: Sequence[DeliveryRow]) -> None:
    """Write deliveries as a table."""
    table = Table(
        "delivery", "event", "made", "case", "rule", "channel", "state", "attempts", "why"
    )
    for row in rows:
        names = (row.case_ref or "-", row.rule, row.channel)
        numbers = (str(row.id), str(row.event_id), ago(row.created_at))
        state = (_coloured(row.state), str(row.attempt), _why(row))
        table.add_row(*numbers, *names, *state)
    table.show()


def show_more(limit: int, rows: Sequence[object]) -> None:
    """Say that a list goes on, where it was asked for one more than it shows."""
    if len(rows) > limit:
        click.echo(f"the newest {limit}; there are more: --limit shows more, filters fewer")


def show_mutes(mutes: Sequence[Mute]) -> None:
    """Write mutes as a table."""
    if not mutes:
        click.echo("nothing is muted")
        return
    table = Table("mute", "of", "name", "until", "by", "held back", "why")
    now = time.time()
    for mute in mutes:
        left = show_duration(max(0.0, mute.until - now))
        until = "ended" if mute.ended_at is not None else f"in {left}"
        held = str(sum(mute.held.values()))
        table.add_row(str(mute.id), mute.kind, mute.name, until, mute.author, held, mute.reason)
    table.show()


def show_tokens(tokens: Sequence[Token], now: float) -> None:
    """Write tokens as a table."""
    if not tokens:
        click.echo("no tokens; `router token new NAME --role viewer` makes one")
        return
    table = Table("token", "role", "made", "by", "last used", "holds")
    for token in tokens:
        holds = "until it is revoked"
        if token.revoked_at is not None:
            holds = "revoked"
        elif token.until is not None:
            holds = f"for {show_duration(token.until - now)}" if token.until > now else "is over"
        used = "never" if token.used_at is None else ago(token.used_at)
        table.add_row(token.name, token.role, ago(token.created_at), token.author, used, holds)
    table.show()


def ago(at: float) -> str:
    """How long ago a moment was."""
    return show_duration(max(0.0, time.time() - at)) + " ago"


def _why(row: DeliveryRow) -> str:
    """The reason, and until when it waits."""
    told = [row.reason] if row.reason else []
    ahead = row.due_at - time.time()
    if row.state == "pending" and ahead > 0 and not row.in_hand:
        told.append(f"due in {show_duration(ahead)}")
    if row.resend_of is not None:
        told.append(f"again for {row.resend_of}")
    if row.fallback_of is not None:
        told.append(f"in place of {row.fallback_of}")
    return plain(", ".join(told))


def _coloured(state: str) -> str:
    return click.style(state, fg=_COLOURS.get(state, "bright_black"))
