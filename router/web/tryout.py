"""What the playground's form holds, and what comes of it: words only, nothing is sent or stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import read_moment
from router.event import Event, Undecodable, decode
from router.pools import PAGES, Crowded
from router.preview import Previewed, words_about
from router.problem import Position, Problem, show
from router.rulebook import texts_of
from router.trial import Answer, Question, TooMuch
from router.web.show import by_interest

if TYPE_CHECKING:
    from router.in_force import InForce
    from router.preview import Preview
    from router.route import Decision
    from router.service import Service
    from router.trial import Aside

MOST = 4 * 1024 * 1024
"""Bytes of a form: what is in it is bounded by less, and told so."""
LONGEST = 512 * 1024
"""Characters of edited texts, all together."""
SHOWN = 30
"""Messages that are drawn; the others are named."""
RULES = 100
EVENT = "event"
EDIT = "edit:"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed. `edits` are the texts that differ from those in force, by their file.

    `mark` is the page's own, so that two pages of one person do not overtake each other.
    """

    event: str = ""
    source: str = ""
    at: str = ""
    file: str = ""
    wanted: str = ""
    mark: str = ""
    edits: dict[str, str] = {}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows. `fault` is what is wrong with the event, marked like a problem.

    `by_edit`: the decisions and messages are those of the edited rules. `marks` says of each
    message (rule, channel) how it differs from the rules in force; `gone` is no longer said.
    Where the edited rules got no turn, they may be tried again after `wait` seconds.
    """

    fault: str = ""
    refused: str = ""
    edited: bool = False
    by_edit: bool = False
    answer: Answer | None = None
    decisions: tuple[Decision, ...] = ()
    number: int = 0
    spoke: int = 0
    messages: tuple[Preview, ...] = ()
    more: tuple[Preview, ...] = ()
    marks: dict[tuple[str, str], str] = {}
    gone: tuple[Preview, ...] = ()
    wait: float = 0.0


def read_form(given: list[tuple[str, Any]], force: InForce) -> Form:
    """The form as it was sent; names that are not there are not looked at."""
    texts = {name: plain(text) for name, text in texts_of(force.files).items()}
    values = {name: plain(value) for name, value in given if isinstance(value, str)}
    file = values.get("file", "")
    edits = {n.removeprefix(EDIT): t for n, t in values.items() if n.startswith(EDIT)}
    if "text" in values:
        edits[file] = values["text"]
    if values.get("do") == "reset":
        edits.pop(file, None)
    wanted = values.get("wanted", file)
    return Form(
        event=values.get("event", ""),
        source=values.get("source", ""),
        at=values.get("at", "").strip(),
        file=file if file in texts else force.files.name,
        wanted=wanted if wanted in texts else force.files.name,
        mark=values.get("mark", "")[:40],
        edits={n: t for n, t in edits.items() if n in texts and t != texts[n]},
    )


def plain(text: str) -> str:
    """A text as a browser's field holds it: a form sends every end of a line as two signs."""
    return text.replace("\r\n", "\n")


def edits_fault(form: Form) -> str:
    """Why the edited texts are not tried; nothing if they are."""
    size = sum(map(len, form.edits.values()))
    if size <= LONGEST:
        return ""
    return (
        f"the edited files have {size:,} characters; up to {LONGEST:,} can be tried here, and"
        " `router check` and `router preview` take any"
    )


async def try_out(service: Service, aside: Aside, who: object, form: Form) -> Tried | None:
    """Try the form; None if the same page sent another meanwhile."""
    force = service.rules.current
    made = await PAGES.run(read_event, service, force, form)
    event = made if isinstance(made, Event) else None
    fault = made if isinstance(made, str) else ""
    before = Previewed((), ())
    if event is not None:
        before = await PAGES.run(
            words_about, event, force.table, force.renderer, force.gateway.format_of
        )
    if not form.edits:
        return _tried(before, fault=fault)
    refused = edits_fault(form)
    if refused:
        return _tried(before, fault=fault, refused=refused, edited=True)
    try:
        answer = await aside.ask((who, form.mark, "try"), question_of(service, form, event), who)
    except Crowded as error:
        return _tried(before, fault=fault, refused=str(error), edited=True, wait=error.wait)
    except TooMuch as error:
        return _tried(before, fault=fault, refused=str(error), edited=True)
    if answer is None:
        return None
    if not answer.speaks:
        return _tried(before, fault=fault, answer=answer, edited=True)
    marks, gone = _differences(before.messages, answer.messages)
    after = Previewed(answer.decisions, answer.messages)
    more = {"answer": answer, "marks": marks, "gone": gone, "by_edit": True, "edited": True}
    return _tried(after, fault=fault, **more)


def question_of(service: Service, form: Form, event: Event | None) -> Question:
    """The edited rules, asked about an event; without one only whether they are sound."""
    return Question(
        files=service.rules.current.files,
        edits=form.edits,
        base_url=service.settings.base_url,
        body=None if event is None else event.body,
        source="" if event is None else event.source,
        at=0.0 if event is None else event.received_at,
        tests=False,
    )


def read_event(service: Service, force: InForce, form: Form) -> Event | str:
    """The event that was typed, or what is wrong with it, marked."""
    if not form.event.strip():
        return "choose an event above, or paste the JSON of one"
    body = form.event.encode("utf-8", "replace")
    most = service.settings.max_body
    if len(body) > most:
        return (
            f"this event has {len(body):,} bytes; the router takes {most:,} at most"
            " (ROUTER_MAX_BODY), and answers 413 to more"
        )
    try:
        at = read_moment(form.at, service.now()) if form.at else service.now()
    except ValueError as error:
        return f"as if it came at: {error}"
    try:
        fields = decode(body)
    except Undecodable as error:
        return _marked(form.event, str(error))
    source = form.source or next(iter(force.ruleset.sources), "playground")
    return Event(0, source[:200], at, body, fields)


def _marked(text: str, told: str) -> str:
    """What is wrong with a body, with its line marked where that is known."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        words = f"the body is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        where = Position(EVENT, error.lineno, error.colno)
        line = text.splitlines()[error.lineno - 1 : error.lineno]
        if not line or len(line[0]) > 500:
            return f"{EVENT}:{error.lineno}:{error.colno}: {words}"
        return show(Problem(where, words), text)
    except (ValueError, RecursionError):
        return told
    return told


def _tried(made: Previewed, **given: Any) -> Tried:
    decisions = by_interest(made.decisions)
    return Tried(
        decisions=tuple(decisions[:RULES]),
        number=len(decisions),
        spoke=sum(decision.matched for decision in decisions),
        messages=made.messages[:SHOWN],
        more=made.messages[SHOWN:],
        **given,
    )


def _differences(
    before: tuple[Preview, ...], after: tuple[Preview, ...]
) -> tuple[dict[tuple[str, str], str], tuple[Preview, ...]]:
    """How each message differs from those in force, and those that are no longer said."""
    known = {_key(one): one for one in before}
    said = {_key(one) for one in after}
    marks = {}
    for one in after:
        was = known.get(_key(one))
        if was is None:
            marks[one.rule, one.channel] = "new"
        elif was != one:
            marks[one.rule, one.channel] = "changed"
    return marks, tuple(one for one in before if _key(one) not in said)


def _key(one: Preview) -> tuple[str, str, str]:
    step = one.when.split(",")[0] if one.when.startswith(("reminder", "escalation")) else ""
    return one.rule, one.channel, step
