"""router resend"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from router.cli.edge import fail, load_rules, note_deed, open_ledger_now, settings_now
from router.cli.lists import explain_nothing, filter_options, filters_of, show_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.ledger import DeliveryRow, Filters, Ledger, Resent

PAGE = 500
SHOWN = 20
"""Deliveries that are shown one by one; of more, a count by rule and channel."""


class _Id(click.ParamType[int]):
    """The id of a delivery."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) < 2**63):
            self.fail(f"`{text}` is no delivery's id; `router deliveries` lists them", param)
        return int(text)


@click.command()
@click.argument("ids", nargs=-1, type=_Id())
@filter_options
@click.option(
    "--fresh", is_flag=True, help="Make the words again, by the rules and templates on disk."
)
@click.option("--dry-run", is_flag=True, help="Only say which would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask before sending what the filters find.")
def command(
    ids: tuple[int, ...], *, fresh: bool, dry_run: bool, yes: bool, **given: str | None
) -> None:
    """Send deliveries again: those with these IDS, or all that the filters find.

    Each becomes a new delivery, linked to the old one; the running service sends it. A digest is
    sent again as one message. Filters leave out what still waits, and what was sent again before;
    on a terminal you are asked before what they find is sent, a script is not.

    \b
    Example:
      router resend 17
      router resend --state failed --since 1d --dry-run
      router resend --state failed --channel compliance --fresh
    """
    narrowed = any(value is not None for value in given.values())
    if bool(ids) == narrowed:
        fail("name deliveries by their ids, or narrow them by filters like --state failed", 2)
    if given["state"] == "pending":
        fail("what is pending still waits to be sent; `router explain EVENT` says until when", 2)
    settings = settings_now()
    ledger = open_ledger_now(settings)
    many = len(ids)
    if narrowed:
        filters = filters_of(given)
        ids, many = _chosen(ledger, filters)
        if not ids:
            explain_nothing("deliveries to send again", filters, ledger, settings)
    if dry_run or not ids:
        together = f", in {len(ids)} messages" if len(ids) < many else ""
        click.echo(f"{many} would be sent again{together}")
        return
    if narrowed and not yes and not _agreed(many):
        click.echo("nothing was sent")
        return
    answers = _resend(ledger, ids, fresh=fresh)
    _note(ledger, answers, given, fresh=fresh)
    ledger.close()
    _show_answers(answers)


def _chosen(ledger: Ledger, filters: Filters) -> tuple[tuple[int, ...], int]:
    """One delivery for each message to be sent, and how many there are; says what they are."""
    chosen: dict[int, int] = {}
    shown: list[DeliveryRow] = []
    counts: Counter[tuple[str, str, str]] = Counter()
    before = 0
    for rows in _pages(ledger, filters):
        again = ledger.resent({row.event_id for row in rows})
        for row in rows:
            if row.state == "pending":
                continue
            if row.id in again:
                before += 1
                continue
            # What went as one message goes as one again.
            chosen.setdefault(row.carried_by or row.id, row.id)
            counts[row.state, row.rule, row.channel] += 1
            shown += [row] if len(shown) <= SHOWN else []
    if 0 < len(shown) <= SHOWN:
        show_deliveries(shown)
    elif shown:
        _show_counts(counts)
    if before:
        some = f"{before} more {'were' if before > 1 else 'was'} sent again before"
        click.echo(f"{some}, and left out; name them by their ids to send them once more")
    return tuple(chosen.values()), counts.total()


def _pages(ledger: Ledger, filters: Filters) -> Iterator[Sequence[DeliveryRow]]:
    """All that the filters find, page by page."""
    import msgspec  # noqa: PLC0415 - not for `--help`

    here = msgspec.structs.replace(filters, limit=PAGE)
    while rows := ledger.deliveries(here):
        yield rows
        here = msgspec.structs.replace(here, before=rows[-1].id)


def _show_counts(counts: Counter[tuple[str, str, str]]) -> None:
    from router.cli.table import Table  # noqa: PLC0415 - not for `--help`

    table = Table("deliveries", "state", "channel", "rule")
    for (state, rule, channel), number in counts.most_common():
        table.add_row(f"{number:,}", state, channel, rule)
    table.show()


def _agreed(many: int) -> bool:
    # A script has nobody to ask; it says --dry-run first.
    return not sys.stdin.isatty() or click.confirm(f"send {many} again?")


def _resend(ledger: Ledger, ids: Sequence[int], *, fresh: bool) -> list[Resent]:
    under = None
    if fresh:
        ruleset = load_rules(settings_now())
        under = ruleset.hash
        ledger.keep_ruleset(ruleset.hash, ruleset.files)
    answers: list[Resent] = []
    for start in range(0, len(ids), PAGE):
        answers += ledger.resend(ids[start : start + PAGE], fresh_under=under)
    return answers


def _note(
    ledger: Ledger, answers: Sequence[Resent], given: Mapping[str, str | None], *, fresh: bool
) -> None:
    """Let the audit log say who sent what again."""
    sent = [answer for answer in answers if answer.new is not None]
    words = ["fresh words"] if fresh else []
    if len(sent) > SHOWN:
        words += [f"--{name} {value}" for name, value in given.items() if value is not None]
        note_deed(ledger, "resend", f"{len(sent)} messages", ", ".join(words))
        return
    for answer in sent:
        detail = ", ".join([f"as {answer.new}", *words])
        note_deed(ledger, "resend", f"delivery {answer.delivery}", detail)


def _show_answers(answers: Sequence[Resent]) -> None:
    refused = [answer for answer in answers if answer.new is None]
    sent = len(answers) - len(refused)
    for answer in answers if len(answers) <= SHOWN else refused:
        click.echo(f"delivery {answer.delivery}: {answer.reason}")
    if len(answers) > SHOWN:
        click.echo(f"{sent:,} sent again; `router deliveries` shows what becomes of them")
    if refused:
        sys.exit(1)
