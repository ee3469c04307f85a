"""Sessions, tokens and deeds, as values."""

from __future__ import annotations

import msgspec

from router.identity import Deed, Role, Way


class Session(msgspec.Struct, frozen=True):
    """Somebody who logged in. `seal` tells the password it was begun with from its successor."""

    name: str
    role: Role
    seal: str
    begun_at: float
    seen_at: float


class Token(msgspec.Struct, frozen=True):
    """A script's way in: it holds until it is revoked, or until a moment."""

    id: int
    name: str
    role: Role
    author: str
    created_at: float
    until: float | None
    used_at: float | None
    revoked_at: float | None = None


class Cancelled(msgspec.Struct, frozen=True):
    """What became of one wish to cancel: whether it is `done`, and its reason, or why not."""

    delivery: int
    done: bool
    reason: str


class AuditRow(msgspec.Struct, frozen=True):
    """One deed: who (as what, known how, from where) did what, about what, and what is to add."""

    id: int
    at: float
    who: str
    role: str
    way: Way
    address: str | None
    what: Deed
    about: str
    detail: str


class AuditFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit log is narrowed by; None leaves it open. `before` is a cursor."""

    who: str | None = None
    what: str | None = None
    about: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50
