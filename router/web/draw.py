"""Drawing a page: a template, what every page shows, and the files that go with it."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from router import __version__
from router.duration import show_duration
from router.event import TRIGGERS
from router.ledger import STATES
from router.problem import in_parts
from router.render.page import page_renderer
from router.view import step_in_words
from router.web import show
from router.web.channel_state import bars, many, rate_in_words
from router.web.identity import asking
from router.web.mrkdwn import spans
from router.web.paint import paint

if TYPE_CHECKING:
    from router.service import Service

Way: TypeAlias = tuple[str, str]
"""A way on from a page: its address and its words."""

NAVIGATION = (
    ("a", "/", "Activity"),
    ("d", "/deliveries", "Deliveries"),
    ("c", "/channels", "Channels"),
    ("r", "/rules", "Rules"),
    ("p", "/playground", "Playground"),
    ("t", "/timers", "Timers"),
    ("s", "/status", "Status"),
)
"""The pages: the key that leads there after `g`, the address, the name."""

WAYS = {
    "login": "by login",
    "basic": "by password",
    "token": "by token",
    "proxy": "by proxy",
    "open": "without login",
    "command": "on the machine",
}
"""How somebody was known, in words."""

_HERE = Path(__file__).parent
STATIC = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}

_render = page_renderer(
    _HERE / "templates",
    {
        "version": __version__,
        # In every address of a static file, so that it may be kept for ever.
        "static": hashlib.sha256(b"".join(STATIC.values())).hexdigest()[:10],
        "navigation": NAVIGATION,
        "states": STATES,
        "triggers": tuple(TRIGGERS),
        "address": show.address,
        "ways": WAYS,
    },
    {
        "ago": show.ago,
        "bars": bars,
        "captured_text": show.captured_text,
        "duration": show_duration,
        "exact": show.exact,
        "grouped": show.grouped,
        "machine": show.machine,
        "many": many,
        "paint": paint,
        "in_parts": in_parts,
        "query": urlencode,
        "rate": rate_in_words,
        "spans": spans,
        "step_word": step_in_words,
        "state_word": show.state_word,
        "tally": show.tally,
        "ticks": show.ticks,
        "tone": show.tone,
        "took": show.took,
        "waits_until": show.waits_until,
        "why": show.why,
    },
)
_ALONE = {
    "now": None,
    "who": None,
    "may_act": False,
    "capture": False,
    "broken": "",
    "unwritten": "",
    "ruleset": None,
    "notices": (),
}


def page(name: str, service: Service, **given: Any) -> str:
    """A page within the frame that all pages share."""
    rules, who = service.rules, asking()
    ruleset = rules.current.ruleset
    broken = rules.last.outcome == "broken"
    common = {
        "now": service.now(),
        "who": who,
        # A viewer sees no button that would be refused.
        "may_act": who is not None and who.may_act,
        "capture": service.settings.outbound == "capture",
        "broken": rules.last.report(service.settings.rules) if broken else "",
        "unwritten": rules.last.fault,
        "ruleset": ruleset.hash,
        "notices": (),
    }
    return _render(name, {**common, **given})


def sheet(**given: Any) -> str:
    """A page of messages to be kept as a file: all it needs stands in it, and it runs nothing."""
    style = "".join(STATIC[name].decode() for name in ("router.css", "event.css", "message.css"))
    return _render("sheet.html.j2", {"style": style, **given})


def error_page(status: int, title: str, advice: str, way: Way | None = None) -> str:
    """A page that says what went wrong and what to do; it needs nothing of the service."""
    phrase = HTTPStatus(status).phrase
    given = {"status": status, "phrase": phrase, "title": title, "advice": advice, "way": way}
    return alone("error.html.j2", **given)


def alone(template: str, **given: Any) -> str:
    """A page for whoever asks: it says nothing of what the service knows."""
    return _render(template, {**_ALONE, **given})


def fragment(template: str, **given: Any) -> str:
    """A part of a page, without the frame."""
    return _render(template, given)
