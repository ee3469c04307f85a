"""The tables of the operator's desk: tallies, and what processes tell of themselves."""

from __future__ import annotations

import sqlalchemy as sa

from router.ledger.tables import Id, metadata

loads = sa.Table(
    "loads",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="the ruleset that came into force"),
)

processes = sa.Table(
    "processes",
    metadata,
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("ruleset", sa.Text, nullable=False, comment="what is in force there"),
)

tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, primary_key=True, comment="the beginning of its hour or day"),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("last", sa.Double, nullable=False, comment="when the last one was counted"),
    sqlite_with_rowid=False,
)

backtests = sa.Table(
    "backtests",
    metadata,
    sa.Column("who", sa.Text, primary_key=True, comment="who began it; one for each person"),
    sa.Column("mark", sa.Text, nullable=False, comment="tells it from their earlier ones"),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("touched_at", sa.Double, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False, comment="JSON, or why there is none"),
)
