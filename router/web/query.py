"""Reading the filters of a list from its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import read_moment
from router.ledger import STATES, Filters
from router.problem import suggest
from router.web.faults import BadFilter, BadRequest, NotThere

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from litestar import Request

TEXTS = ("channel", "rule", "case", "trigger", "source", "q")
FILTERS = ("state", *TEXTS, "since", "until")
"""What a list can be narrowed by, in the order of its address."""
KNOWN = frozenset({*FILTERS, "limit", "cursor"})
MOST = 500


def read_filters(query: Mapping[str, Any], now: float) -> Filters:
    """Return the filters in a query; raises BadFilter for one that makes no sense.

    `since` and `until` are times (ISO 8601) or durations before now (`7d`). An empty value is no
    filter.
    """
    given = {name: str(value) for name, value in query.items() if str(value)}
    refuse_unknown(given, KNOWN)
    state = given.get("state")
    if state is not None and state not in STATES:
        raise BadFilter("state", f"`{state}` is not a state; {suggest(state, STATES)}")
    since, until = read_time(given, "since", now), read_time(given, "until", now)
    if since is not None and until is not None and since >= until:
        raise BadFilter("until", "`until` is not after `since`: no time lies between them")
    return Filters(
        state=state,
        since=since,
        until=until,
        before=read_cursor(given),
        limit=read_limit(given),
        **{name: given.get(name) for name in TEXTS},
    )


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Raise BadFilter for a name that this list is not narrowed by."""
    for name in given:
        if name not in known:
            raise BadFilter(name, f"there is no filter `{name}`; {suggest(name, known)}")


def page_of(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A list's answer: its items and the cursor of the next page, or null at the end.

    `found` is one more than `limit` where there is more.
    """
    items = found[:limit]
    return {"items": items, "next": str(items[-1]["id"]) if len(found) > limit else None}


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, empty if there is none; raises BadRequest for anything else."""
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise BadRequest("the body is not a JSON object") from None


def read_time(given: Mapping[str, str], name: str, now: float) -> float | None:
    """A time, or a duration before now; None if it is not given."""
    text = given.get(name)
    if text is None:
        return None
    try:
        return read_moment(text, now)
    except ValueError as error:
        raise BadFilter(name, f"`{name}`: {error}") from None


def read_cursor(given: Mapping[str, str]) -> int | None:
    return _number(given.get("cursor"), "cursor")


def read_limit(given: Mapping[str, str]) -> int:
    return min(_number(given.get("limit"), "limit") or 50, MOST)


def read_id(request: Request[Any, Any, Any], name: str) -> int:
    """The id in an address; NotThere for one that no database gives."""
    number: int = request.path_params[name]
    if not 0 <= number < 2**63:
        raise NotThere(f"there is nothing with the id {number}")
    return number


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise BadFilter(name, f"`{name}` is a whole number above 0")
    return int(text[:18])
