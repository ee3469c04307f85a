"""Answering a trial: the edited rules are built in memory, asked about the event, and tested."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from router.delivery import formats, inspect
from router.event import Event, decode
from router.preview import words_about
from router.problem import count, in_order, show
from router.render import Renderer
from router.route import RoutingTable
from router.rulebook import Built, build_unseen, edited, prove
from router.trial.question import Answer, Marked, Tested

if TYPE_CHECKING:
    from router.message import Format
    from router.rulebook import Proved
    from router.rules import Ruleset
    from router.trial.question import Question

KEPT = 4
MOST_PROBLEMS = 100
MOST_MESSAGES = 200


class _Ready(msgspec.Struct, frozen=True):
    """A ruleset that can be asked."""

    table: RoutingTable
    renderer: Renderer
    formats: dict[str, Format]


class Trials:
    """Answers questions; what was built last is kept, since most that is typed is the event."""

    def __init__(self) -> None:
        self._built: dict[str, tuple[Built, _Ready | None]] = {}
        self._tested: dict[str, tuple[Proved, ...]] = {}

    def answer(self, question: Question) -> Answer:
        """Answer one; the body is one that `decode` takes."""
        key = _key(question)
        built, ready = self._build(key, question)
        problems = in_order(built.problems)
        answer = Answer(
            sound=built.ruleset is not None,
            speaks=ready is not None,
            problems=tuple(
                Marked(
                    problem.position.file,
                    problem.position.line,
                    problem.position.column,
                    problem.position.length,
                    problem.severity,
                    show(problem, built.files.get(problem.position.file)),
                )
                for problem in problems[:MOST_PROBLEMS]
            ),
            count=count(problems),
        )
        if ready is None:
            return answer
        if question.tests:
            tested = tuple(_told(one) for one in self._prove(key, built))
            answer = msgspec.structs.replace(answer, tested=tested)
        if question.body is None:
            return answer
        fields = decode(question.body)
        event = Event(0, question.source, question.at, question.body, fields)
        made = words_about(event, ready.table, ready.renderer, ready.formats.__getitem__)
        return msgspec.structs.replace(
            answer, decisions=made.decisions, messages=made.messages[:MOST_MESSAGES]
        )

    def _build(self, key: str, question: Question) -> tuple[Built, _Ready | None]:
        found = self._built.get(key)
        if found is None:
            files = edited(question.files, question.edits)
            built = build_unseen(files, inspect_channel=inspect)
            asked = built.untested
            ready = None if asked is None else _ready(asked, question.base_url)
            found = self._built[key] = built, ready
            while len(self._built) > KEPT:
                gone = next(iter(self._built))
                del self._built[gone]
                self._tested.pop(gone, None)
        return found

    def _prove(self, key: str, built: Built) -> tuple[Proved, ...]:
        if key not in self._tested:
            self._tested[key] = prove(built, formats).tested
        return self._tested[key]


def _ready(ruleset: Ruleset, base_url: str) -> _Ready:
    renderer = Renderer(ruleset.templates, base_url=base_url)
    return _Ready(RoutingTable(ruleset), renderer, formats(ruleset.channels))


def _key(question: Question) -> str:
    told = msgspec.json.encode((question.files, question.edits, question.base_url))
    return hashlib.sha256(told).hexdigest()


def _told(one: Proved) -> Tested:
    where = one.test.position
    return Tested(one.test.name, where.line, where.file, one.faults, one.diff, one.reasons)
