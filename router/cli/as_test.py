"""router explain --as-test: a test of the rules, written from an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.edge import (
    fail,
    is_stored,
    load_rules,
    open_ledger_now,
    read_event,
    settings_now,
    source_of,
)

if TYPE_CHECKING:
    from router.ledger import DeliveryRow, EventRow
    from router.rulebook import Written
    from router.rules import Ruleset
    from router.settings import Settings


def write_test(event: str, source: str | None, rules: str | None) -> None:
    """Write what the rules on disk say about an event (a file, or a stored one's id) as a test."""
    from router.delivery import formats  # noqa: PLC0415 - not for `--help`
    from router.rulebook import as_test  # noqa: PLC0415

    settings = settings_now()
    ruleset = load_rules(settings, rules)
    if not is_stored(event):
        posted = read_event(event, source_of(source, list(ruleset.sources)))
        name = f"a {posted.trigger} event"
        click.echo(as_test(posted, name, ruleset, formats(ruleset.channels)).text, nl=False)
        return
    if source is not None:
        fail("a stored event has its source; --source is for a file", 2)
    row = _stored(int(event), settings)
    click.echo(_from_row(row, ruleset), nl=False)


def _stored(number: int, settings: Settings) -> EventRow:
    ledger = open_ledger_now(settings)
    row = ledger.event(number)
    ledger.close()
    if row is None:
        fail(f"there is no event {number}; `router events` lists them")
    return row


def _from_row(row: EventRow, ruleset: Ruleset) -> str:
    from router.delivery import formats  # noqa: PLC0415 - not for `--help`
    from router.event import OWN  # noqa: PLC0415
    from router.rulebook import as_test  # noqa: PLC0415
    from router.view import stored_event  # noqa: PLC0415

    event = stored_event(row)
    if event is None or row.source == OWN:
        fail(f"event {row.id} is none that rules were asked about")
    name = f"event {row.id}: {event.trigger}"
    written = as_test(event, name, ruleset, formats(ruleset.channels))
    first, rest = written.text.split("\n", 1)
    return "\n".join([first, *_then(row, written), rest])


def _then(row: EventRow, written: Written) -> list[str]:
    """Remarks on what really became of the event, where that is not what is expected."""
    then: dict[tuple[str, str], DeliveryRow] = {}
    for delivery in row.deliveries:
        if delivery.resend_of is None and delivery.fallback_of is None:
            then.setdefault((delivery.rule, delivery.channel), delivery)
    remarks = []
    for (rule, channel), delivery in then.items():
        expected = (rule, channel) in written.expects
        if not expected or delivery.state in {"suppressed", "cancelled", "failed"}:
            why = f": {delivery.reason}" if delivery.reason else ""
            remarks.append(f"when it came, `{rule}` to `{channel}` was {delivery.state}{why}")
    for rule, channel in dict.fromkeys(written.expects):
        if (rule, channel) not in then:
            remarks.append(f"when it came, `{rule}` did not tell `{channel}`")
    return [f"  # {remark}" for remark in remarks]
