"""The tables of those who look and act: sessions, tokens, tries, the audit log.

No secret stands in them, only what it hashes to.
"""

from __future__ import annotations

import sqlalchemy as sa

from router.ledger.tables import Id, metadata

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("key", sa.Text, primary_key=True, comment="sha256 of what the cookie holds"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False, comment="of the password it was begun with"),
    sa.Column("begun_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True, comment="sha256 of the token"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, comment="null: until it is revoked"),
    sa.Column("used_at", sa.Double),
    sa.Column("revoked_at", sa.Double),
)

tries = sa.Table(
    "tries",
    metadata,
    sa.Column("key", sa.Text, primary_key=True, comment="of which kind, and from where"),
    sa.Column("until", sa.Double, nullable=False, comment="when all of them are forgotten"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("way", sa.Text, nullable=False, comment="how they proved who they are"),
    sa.Column("address", sa.Text),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
