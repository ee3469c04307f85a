"""Who is let in: passwords, sessions, tokens, a proxy's word. The only argon2.

Kept is nothing that lets anybody in: of a session's cookie and of a token the hash, of a password
what argon2 makes of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from typing import TYPE_CHECKING, Literal

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from router.identity import Identity, clean_name
from router.ledger import LedgerUnavailable
from router.secret import MASK, same
from router.tries import Tries, origin_of, remember

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.identity import Deed, Role, Way
    from router.ledger import People
    from router.secret import Secret
    from router.settings import Settings

IDLE = 8 * 3600.0
"""Seconds after which a session that nobody uses is over."""
LONGEST = 24 * 3600.0
"""Seconds after which any session is over."""
USED = 60.0
"""Seconds within which another use is not written down."""
MAX_PROVEN = 16
"""Passwords that are known to be right from one place."""
PREFIX = "router_"
"""What a named token begins with, so that it is known where it should not lie."""
MARK = "$argon2"
"""What a password setting begins with when it is a hash."""


class Refused(msgspec.Struct, frozen=True):
    """Why somebody was not let in: what they sent is wrong, they were wrong too often (they may
    try again after `wait` seconds), or the proxy's user is on no list."""

    why: Literal["wrong", "often", "unlisted"]
    wait: float = 0.0
    name: str = ""


class Access:
    """Asks the settings and the ledger whether somebody may come in.

    All of it may wait for the database or for argon2: call it in a thread.
    """

    def __init__(
        self,
        settings: Settings,
        people: People,
        now: Callable[[], float],
        tell: Callable[[Identity, Deed], None],
    ) -> None:
        """`tell` writes a failed login into the audit log."""
        self._settings = settings
        self._people = people
        self.tries = Tries(people, now)
        self._now = now
        self._tell = tell
        self._hasher = PasswordHasher()
        # argon2 takes 64 MiB: one at a time, whoever asks.
        self._hashing = threading.Lock()
        given: tuple[tuple[Role, Secret | None], ...] = (
            ("operator", settings.admin_password),
            ("operator", settings.api_token),
            ("viewer", settings.viewer_password),
        )
        self._doors = [(role, secret) for role, secret in given if secret is not None]
        self._fitting: dict[tuple[str, str], bool] = {}
        self._seals: dict[str, str] = {}
        self._proven: dict[str, dict[str, Role]] = {}
        self._wrong: dict[str, bool] = {}

    def by_password(
        self, name: str, given: str, address: str | None, way: Way
    ) -> Identity | Refused:
        """Who somebody is by a password (or ROUTER_API_TOKEN); too many wrong ones have to wait.

        A login is always counted as a try before it is looked at. What scripts send with every
        request (`way` is basic or token) is counted until it was right once from that place.
        """
        known = self.by_proven(name, given, address, way)
        if known is not None:
            return known
        wait = self.tries.charge(way, address)
        if wait is not None:
            return Refused("often", wait)
        role = self._role_of(given)
        if role is None:
            # Some type their password where the name goes.
            swapped = way == "login" and self._role_of(name.strip()) is not None
            named = MASK if swapped else clean_name(name) or "nobody"
            with contextlib.suppress(LedgerUnavailable):  # the log has it all the same
                self._tell(Identity(named, "nobody", way, address), "failed login")
            return Refused("wrong")
        self.tries.forgive(way, address)
        place = origin_of(way, address)
        proven = self._proven.get(place, {})
        if len(proven) < MAX_PROVEN:
            remember(self._proven, place, {**proven, _digest(given): role})
        return Identity(clean_name(name) or role, role, way, address)

    def by_proven(self, name: str, given: str, address: str | None, way: Way) -> Identity | None:
        """Who somebody is by a password that was right from that place before, at no cost.

        Whatever strangers from the same place try, this goes on. A login is always proven anew.
        """
        place = origin_of(way, address)
        role = None if way == "login" else self._proven.get(place, {}).get(_digest(given))
        return None if role is None else Identity(clean_name(name) or role, role, way, address)

    def by_token(self, given: str, address: str | None) -> Identity | None:
        """Who a script is by a named token; None if it is none, and may be ROUTER_API_TOKEN."""
        if given.startswith(PREFIX):
            token = self._people.token(_digest(given))
            if token is not None:
                if self._now() - (token.used_at or 0.0) > USED:
                    with contextlib.suppress(LedgerUnavailable):  # it is only a note
                        self._people.use_token(token.id)
                return Identity(token.name, token.role, "token", address)
        return None

    def by_session(
        self, cookie: str, address: str | None, *, notes_use: bool = True
    ) -> Identity | None:
        """Who somebody is by their session; None if it is over, or its password was changed."""
        key = _digest(cookie)
        found = self._people.session(key)
        if found is None:
            return None
        now = self._now()
        if now - found.begun_at > LONGEST or now - found.seen_at > IDLE:
            return None
        if not any(self._fits(found.seal, secret) for r, secret in self._doors if r == found.role):
            return None
        if notes_use and now - found.seen_at > USED:
            with contextlib.suppress(LedgerUnavailable):  # it ends sooner, of not being used
                self._people.see_session(key)
        return Identity(found.name, found.role, "login", address)

    def by_proxy(self, user: str, groups: list[str], address: str | None) -> Identity | Refused:
        """Who somebody is by the word of a trusted proxy, and what its lists let them do."""
        name = clean_name(user)
        known = {user, *groups, "*"}
        lists: tuple[tuple[Role, tuple[str, ...]], ...] = (
            ("operator", self._settings.sso_operators),
            ("viewer", self._settings.sso_viewers),
        )
        for role, listed in lists:
            if name and known & set(listed):
                return Identity(name, role, "proxy", address)
        return Refused("unlisted", name=name)

    def begin(self, who: Identity, given: str) -> str:
        """Begin a session for who logged in with this password; returns its cookie."""
        if who.role == "nobody":
            raise AssertionError("nobody has no session")
        cookie = secrets.token_urlsafe(32)
        self._people.begin_session(_digest(cookie), who.name, who.role, self._seal(given))
        return cookie

    def end(self, cookie: str) -> bool:
        """End a session; answers whether there was one."""
        return self._people.end_session(_digest(cookie))

    def _role_of(self, given: str) -> Role | None:
        mark = _digest(given)
        if mark in self._wrong:
            return None  # as it was: what is right does not change while a process lives
        found: Role | None = None
        for role, secret in self._doors:
            text = secret.reveal()
            right = self._verify(text, given) if text.startswith(MARK) else same(given, text)
            found = found or (role if right else None)
        if found is None:
            remember(self._wrong, mark, value=True)
        return found

    def _seal(self, given: str) -> str:
        """What is kept with a session: argon2 of its password, as set or made once."""
        for _, secret in self._doors:
            text = secret.reveal()
            if text.startswith(MARK) and self._verify(text, given):
                return text
        mark = _digest(given)
        if mark not in self._seals:
            with self._hashing:
                self._seals[mark] = self._hasher.hash(given)
        return self._seals[mark]

    def _fits(self, seal: str, secret: Secret) -> bool:
        """Whether a session's seal is of the password that is set now."""
        text = secret.reveal()
        if text.startswith(MARK):
            return same(seal, text)
        key = (seal, _digest(text))
        if key not in self._fitting:
            remember(self._fitting, key, self._verify(seal, text))
        return self._fitting[key]

    def _verify(self, hashed: str, given: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(hashed, given.encode("utf-8", "surrogatepass"))
            except (VerificationError, InvalidHashError):
                return False


def make_token() -> tuple[str, str]:
    """A fresh token, and the hash that is kept of it."""
    token = PREFIX + secrets.token_urlsafe(32)
    return token, _digest(token)


def hash_password(text: str) -> str:
    """What may be set as a password in its place."""
    return PasswordHasher().hash(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
