"""What a trial is asked and answers: values that travel between two processes."""

from __future__ import annotations

import msgspec

from router.preview import Preview
from router.retold import Retold
from router.route import Decision
from router.rulebook import Files


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Rules with edited texts, by the names that problems call them.

    With a `body`: what would be said about that event (`at` in epoch seconds). With `tests`: how
    the rules' own tests end.
    """

    files: Files
    edits: dict[str, str]
    base_url: str
    body: bytes | None = None
    source: str = ""
    at: float = 0.0
    tests: bool = False


class Marked(msgspec.Struct, frozen=True):
    """A problem, and the `words` that `check` prints of it, with the line marked."""

    file: str
    line: int
    column: int
    length: int
    severity: str
    words: str


class Tested(msgspec.Struct, frozen=True):
    """A test of the rules that was run: it passes if there are no `faults`."""

    name: str
    line: int
    file: str
    faults: tuple[str, ...]
    diff: tuple[str, ...]
    reasons: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. The tests of rules that are not `sound` are not run; they say something
    (`speaks`) if nothing but their tests is wrong."""

    sound: bool
    speaks: bool
    problems: tuple[Marked, ...]
    count: str
    decisions: tuple[Decision, ...] = ()
    messages: tuple[Preview, ...] = ()
    tested: tuple[Tested, ...] = ()


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest of edited rules against those they were made from, over the events of the ledger
    at `database_url` from `since` until `now` (epoch seconds)."""

    files: Files
    edits: dict[str, str]
    base_url: str
    database_url: str
    since: float
    now: float


class Progress(msgspec.Struct, frozen=True):
    """How far a backtest is, in events; at its end what it `found`, or its `fault` in words.

    Where there are no events, nothing is found, and there are none to come.
    """

    done: int
    total: int
    found: Retold | None = None
    fault: str = ""

    @property
    def ended(self) -> bool:
        return bool(self.found or self.fault or not self.total)
