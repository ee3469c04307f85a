"""Who acts: a name, what they may do, and how they proved it."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
"""A viewer sees everything that holds no secret; an operator also acts."""

Way = Literal["login", "basic", "token", "proxy", "open", "command"]
"""How somebody was known: a session after a login, HTTP Basic, a bearer token, a proxy that logs
people in, no password being asked for, or a command on the machine."""

Deed = Literal[
    "login",
    "failed login",
    "logout",
    "sample",
    "resend",
    "cancel",
    "mute",
    "unmute",
    "pause",
    "unpause",
    "reload",
    "test message",
    "token made",
    "token revoked",
    "database noticed",
]
DEEDS: tuple[Deed, ...] = get_args(Deed)
"""What the audit log tells of."""


class Identity(msgspec.Struct, frozen=True):
    """Somebody: nobody is who was not let in, and stands only in the audit log.

    `address` is where a request came from, None for a command.
    """

    name: str
    role: Role | Literal["nobody"]
    way: Way
    address: str | None = None

    @property
    def may_act(self) -> bool:
        return self.role == "operator"


def clean_name(text: str) -> str:
    """A name as it may stand in a log: one line, at most 80 characters; empty if there is none."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:80]
