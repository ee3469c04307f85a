"""Mutes as people ask for them: what is meant by a name, for how long, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from router.duration import parse_duration
from router.ledger import MuteKind
from router.problem import suggest
from router.view import iso

if TYPE_CHECKING:
    from router.ledger import Ledger, Mute
    from router.rules import Ruleset

KINDS: tuple[MuteKind, ...] = get_args(MuteKind)
LONGEST = 366 * 86400.0


def begin_mute(
    ledger: Ledger,
    ruleset: Ruleset,
    *,
    name: str,
    kind: str | None,
    length: str,
    reason: str,
    author: str,
    now: float,
) -> Mute:
    """Silence what `name` names, for as long as `length` says.

    Raises ValueError, in words for the person who asked.
    """
    if "\0" in name:
        raise ValueError("a name with a NUL in it names nothing")
    found = kind_of(name, ruleset, kind)
    seconds = parse_duration(length)
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"`{length}` is no time to be silent for; at most a year")
    words = " ".join(reason.replace("\0", "").split())
    if not words:
        raise ValueError("a mute needs a reason: those who miss a message will ask for it")
    return ledger.desk.mute(found, name, until=now + seconds, reason=words[:300], author=author)


def kind_of(name: str, ruleset: Ruleset, asked: str | None) -> MuteKind:
    """What a name names: a rule, a channel, a source, or else a case.

    Raises ValueError if it names nothing, or more than one thing and none was `asked` for.
    """
    names: dict[MuteKind, list[str]] = {
        "rule": [rule.name for rule in ruleset.rules],
        "channel": list(ruleset.channels),
        "source": list(ruleset.sources),
    }
    if asked is not None:
        kind = next((one for one in KINDS if one == asked), None)
        if kind is None:
            raise ValueError(f"`{asked}` cannot be muted; it is one of {', '.join(KINDS)}")
        if kind in names and name not in names[kind]:
            raise ValueError(f"there is no {kind} `{name}`; {suggest(name, names[kind])}")
        return kind
    found = [kind for kind, known in names.items() if name in known]
    if len(found) > 1:
        raise ValueError(f"`{name}` is a {' and a '.join(found)}; say which is meant")
    if found:
        return found[0]
    if not any(char.isdigit() for char in name):
        known = {one for every in names.values() for one in every}
        told = f"there is no rule, channel or source `{name}`; {suggest(name, known)}"
        raise ValueError(f"{told}; if it is a case, say that it is one")
    return "case"


def mute_view(mute: Mute) -> dict[str, Any]:
    """A mute as the API tells it."""
    return {
        "id": mute.id,
        "kind": mute.kind,
        "name": mute.name,
        "reason": mute.reason,
        "author": mute.author,
        "created_at": iso(mute.created_at),
        "until": iso(mute.until),
        "ended_at": None if mute.ended_at is None else iso(mute.ended_at),
        "held": mute.held,
    }
