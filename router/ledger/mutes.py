"""Mutes: silence with an end and a reason, and a count of what it held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from router.ledger.tables import mutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine

MuteKind = Literal["rule", "channel", "case", "source"]


class Mute(msgspec.Struct, frozen=True):
    """Silence with an end and a reason; `held` counts what it held back, by channel."""

    id: int
    kind: MuteKind
    name: str
    reason: str
    author: str
    created_at: float
    until: float
    ended_at: float | None = None
    held: dict[str, int] = {}


class Silence:
    """The mutes that hold now, as one transaction asks them."""

    def __init__(self, connection: sa.Connection, now: float) -> None:
        query = sa.select(mutes).where(mutes.c.ended_at.is_(None), mutes.c.until > now)
        self._holding = [_mute(row) for row in connection.execute(query)]
        self._counted: dict[int, dict[str, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._holding)

    def over(
        self, *, rule: str, channel: str, source: str | None, case: Sequence[str | None]
    ) -> str | None:
        """Why this is not to be said, or None; what is silenced is counted."""
        names = {"rule": (rule,), "channel": (channel,), "source": (source,), "case": case}
        for mute in self._holding:
            if mute.name in names[mute.kind]:
                counted = self._counted.setdefault(mute.id, {})
                counted[channel] = counted.get(channel, 0) + 1
                return f"muted ({mute.kind} `{mute.name}`): {mute.reason}"
        return None

    def write(self, connection: sa.Connection) -> None:
        """Add what was silenced to the mutes' counts."""
        for mute_id, counted in sorted(self._counted.items()):  # every process locks in one order
            row = sa.select(mutes.c.held).where(mutes.c.id == mute_id).with_for_update()
            text = connection.execute(row).scalar_one()
            held = msgspec.json.decode(text, type=dict[str, int])
            for channel, number in counted.items():
                held[channel] = held.get(channel, 0) + number
            values = {"held": msgspec.json.encode(held).decode()}
            connection.execute(mutes.update().where(mutes.c.id == mute_id).values(**values))
        self._counted = {}


def add_mute(
    connection: sa.Connection,
    engine: Engine,
    kind: MuteKind,
    name: str,
    *,
    until: float,
    reason: str,
    author: str,
    now: float,
) -> Mute:
    """Begin a mute; one of the same thing that still holds ends."""
    end_mutes(connection, now, kind=kind, name=name)
    (mute_id,) = engine.next_ids(connection, "mutes", 1)
    row = (mute_id, kind, name, reason, author, now, until, None, "{}")
    engine.insert(connection, mutes, [row])
    return Mute(mute_id, kind, name, reason, author, now, until)


def end_mutes(
    connection: sa.Connection,
    now: float,
    *,
    mute_id: int | None = None,
    kind: str | None = None,
    name: str | None = None,
) -> list[Mute]:
    """End mutes before their time: by id, or by what they silence; returns them."""
    chosen: list[sa.ColumnElement[bool]] = [mutes.c.ended_at.is_(None)]
    given = {mutes.c.id: mute_id, mutes.c.kind: kind, mutes.c.name: name}
    chosen += [column == value for column, value in given.items() if value is not None]
    return _end(connection, chosen, now)


def end_over(connection: sa.Connection, now: float) -> list[Mute]:
    """End the mutes whose time is over; returns them with what they held back."""
    return _end(connection, [mutes.c.ended_at.is_(None), mutes.c.until <= now], now)


def list_mutes(connection: sa.Connection, now: float, *, ended: bool = False) -> list[Mute]:
    """The mutes that hold, or with `ended` the last hundred of all; newest first."""
    query = sa.select(mutes).order_by(mutes.c.id.desc()).limit(100)
    if not ended:
        query = query.where(mutes.c.ended_at.is_(None), mutes.c.until > now)
    return [_mute(row) for row in connection.execute(query)]


def _end(
    connection: sa.Connection, chosen: Sequence[sa.ColumnElement[bool]], now: float
) -> list[Mute]:
    ended = mutes.update().where(*chosen).values(ended_at=now).returning(mutes)
    return [_mute(row) for row in connection.execute(ended)]


def _mute(row: sa.Row[tuple[object, ...]]) -> Mute:
    held = msgspec.json.decode(row.held, type=dict[str, int])
    head = (row.id, row.kind, row.name, row.reason, row.author, row.created_at, row.until)
    return Mute(*head, row.ended_at, held)
