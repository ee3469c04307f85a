"""Render: template and event -> message. Never lost to a template: a ladder of three rungs.

The rule's template speaks; if it fails, the built-in one; if that fails, a plain line. The message
says which rung spoke, and what was wrong with the one above.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from router.message import Format, Message, Rung
from router.render.convert import text_to_html, text_to_slack
from router.render.escape import Kind, SafeUrl, clean
from router.render.facts import ONCE, Occasion, heading_of, variables
from router.render.family import member, turn, with_note
from router.render.faults import TemplateFault, fault_of
from router.render.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.event import Event
    from router.rules import Channel, Rule, Target

BUILT_IN = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "builtin").glob("*.j2"))
}
DEFAULT = "_case"
DIGEST = "_digest"
TITLE_LENGTH = 250


_LISTS = re.compile(r"\b(?:events|digest)\b")
_HELD = "Held back before this one: {number} more like it."


class _Words(msgspec.Struct, frozen=True):
    title: str
    body: str
    text: str


class Renderer:
    """The templates of one ruleset. Threads may share it."""

    def __init__(self, templates: Mapping[str, str], *, base_url: str) -> None:
        self.names = frozenset(templates) | frozenset(BUILT_IN)
        self._templates = Templates({**BUILT_IN, **templates})
        self._base_url = base_url

    def render(
        self,
        *,
        event: Event,
        rule: Rule,
        target: Target,
        channel: Channel,
        format: Format,  # noqa: A002 - the concept's name
        occasion: Occasion = ONCE,
    ) -> Message:
        """Return the message; never raises for any event or template."""
        try:
            return self.strict(
                event=event,
                rule=rule,
                target=target,
                channel=channel,
                format=format,
                occasion=occasion,
            )
        except Exception as error:  # noqa: BLE001 - no message is lost to its words
            first = fault_of(error, target.template or rule.template or "title and body")
        given = variables(event, rule, channel, self._base_url, occasion)
        try:
            words = self._from_family(_usual(occasion), format, given)
            return self._message(words, "built-in", format, given, str(first))
        except Exception:  # noqa: BLE001 - the line below says what the first rung met
            # The built-in words are tested for every trigger; an event stranger than those
            # still gets its line.
            return _plain_line(event, rule, given, format, str(first))

    def strict(
        self,
        *,
        event: Event,
        rule: Rule,
        target: Target,
        channel: Channel,
        format: Format,  # noqa: A002 - the concept's name
        occasion: Occasion = ONCE,
    ) -> Message:
        """Return the message that the rule's own words make; raises TemplateFault.

        What was gathered from several rules has the built-in words.
        """
        given = variables(event, rule, channel, self._base_url, occasion)
        own = not occasion.gathered
        family = (target.template or rule.template) if own else None
        inline_title = rule.title if own and target.template is None else None
        inline_body = rule.body if own and target.template is None else None
        rung: Rung = "template" if family or inline_title or inline_body else "built-in"
        if len(occasion.events) > 1:
            self._lists(family, inline_body, format)
        title = body = text = None
        if inline_title is not None:
            title = self._inline("title", "title", inline_title, given)
        if inline_body is not None:
            body, text = self._inline_body(inline_body, format, given)
        if title is None or body is None:
            words = self._from_family(
                family or _usual(occasion), format, given, title=title, body=body
            )
        else:
            words = _Words(title, body, text or "")
        if body is not None:
            words = _Words(words.title, body, text or "")
        return self._message(words, rung, format, given, None)

    def _from_family(
        self,
        family: str,
        wanted: Format,
        given: dict[str, Any],
        *,
        title: str | None = None,
        body: str | None = None,
    ) -> _Words:
        found = member(family, wanted, self.names)
        if found is None:
            raise TemplateFault(family, None, "there is no such template")
        name, kind = found
        if title is None:
            title = self._title(name, given)
        if body is not None:
            return _Words(title, body, "")
        body = turn(self._body(kind, name, given), kind, wanted)
        return _Words(title, body, self._as_text(family, body, wanted, given))

    def _lists(self, family: str | None, inline_body: str | None, wanted: Format) -> None:
        """See that a digest's words list its events: what they leave out would be lost."""
        if inline_body is not None:
            name, source = "body:", inline_body
        else:
            found = member(family, wanted, self.names) if family else None
            if found is None:
                return
            name, source = found[0], self._templates.source(found[0])
        if not _LISTS.search(source):
            raise TemplateFault(name, None, "it does not list the `events` of a digest")

    def _as_text(self, family: str, body: str, wanted: Format, given: dict[str, Any]) -> str:
        """The plain text beside an HTML body, or the body itself as text."""
        own = f"{family}.txt.j2"
        if wanted == "html" and own in self.names:
            return self._body("text", own, given)
        return turn(body, wanted, "text") if wanted != "text" else body

    def _title(self, name: str, given: dict[str, Any]) -> str:
        return _one_line(self._templates.block("title", name, "title", given) or "")

    def _body(self, kind: Format, name: str, given: dict[str, Any]) -> str:
        """A template that extends another is a whole; otherwise its `body` block is meant."""
        templates = self._templates
        if not templates.extends(kind, name):
            block = templates.block(kind, name, "body", given)
            if block is not None:
                return block.strip("\n")
            if templates.has_block(kind, name, "title"):
                return ""
        return templates.whole(kind, name, given).strip("\n")

    def _inline(self, kind: Kind, what: str, source: str, given: dict[str, Any]) -> str:
        made = self._templates.text(kind, f"{what}:", source, given)
        return _one_line(made) if what == "title" else made.strip("\n")

    def _inline_body(self, source: str, wanted: Format, given: dict[str, Any]) -> tuple[str, str]:
        text = self._inline("text", "body", source, given)
        if wanted == "html":
            context = {**given, "words": text}
            return self._body("html", "_words.html.j2", context), text
        if wanted == "text":
            return text, text
        return self._inline(wanted, "body", source, given), text

    def _message(
        self, words: _Words, rung: Rung, kind: Format, given: dict[str, Any], fault: str | None
    ) -> Message:
        title = words.title or _one_line(
            f"{given['heading']}: {given['facts'][0][1]}" if given["facts"] else given["heading"]
        )
        body, text = words.body or _as(kind, title), words.text or title
        if given["held"]:
            note = _HELD.format(number=given["held"])
            body, text = with_note(body, kind, note), with_note(text, "text", note)
        return Message(
            title=title[:TITLE_LENGTH],
            body=body,
            format=kind,
            text=text,
            severity=given["severity"],
            colour=given["colour"],
            link=_plain(given["links"]["case"]),
            because=given["because"],
            rung=rung,
            fault=fault,
        )


def _usual(occasion: Occasion) -> str:
    return DIGEST if occasion.events else DEFAULT


def _plain_line(
    event: Event, rule: Rule, given: dict[str, Any], kind: Format, fault: str
) -> Message:
    line = clean(f"{heading_of(event.trigger)}: {event.case_ref or 'no case'}")[:TITLE_LENGTH]
    if given["count"] > 1:
        line = clean(given["digest"]["title"])[:TITLE_LENGTH]
    return Message(
        title=line,
        body=_as(kind, line),
        format=kind,
        text=line,
        severity=given["severity"],
        colour=given["colour"],
        link=_plain(given["links"]["case"]),
        because=given["because"],
        rung="plain",
        fault=fault,
    )


def _as(kind: Format, line: str) -> str:
    return {"html": text_to_html, "slack": text_to_slack}.get(kind, str)(line)


def _plain(url: SafeUrl | None) -> str | None:
    return None if url is None else str(url)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:TITLE_LENGTH]
