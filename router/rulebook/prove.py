"""Running tests of rules: through the service's own engine, on a fake clock, in memory. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.problem import Problem
from router.rehearse import Rehearsal
from router.render import Renderer
from router.route import RoutingTable
from router.rulebook.compare import SAME_MOMENT, Spoken, fits
from router.rulebook.differ import Heard, tell
from router.rulebook.rule_test import Proved, RuleTest
from router.said import Fate, Said, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.message import Format
    from router.rulebook.build import Built
    from router.rules import Channel, Ruleset

BASE_URL = "https://router.example"
"""Where the router's own pages are, in the words of tests: the same on every machine."""
LONGEST = 400 * 86400.0
"""Seconds that the fake clock runs at most while something waits: more than the longest wait."""
MOST = 500
"""Messages that one test hears."""
ENDLESS = (
    "something is said again and again, or waits for more than a year; say with `until:` how far"
    " the clock runs"
)
_SEE = "`router test` shows what was expected beside what was said"


class Proof:
    """A ruleset, ready to be tested. `formats` are those of its channels."""

    def __init__(self, ruleset: Ruleset, formats: Mapping[str, Format]) -> None:
        self.ruleset = ruleset
        self.table = RoutingTable(ruleset)
        self._renderer = Renderer(ruleset.templates, base_url=BASE_URL)
        self._formats = formats

    def run(self, test: RuleTest) -> Proved:
        """Run one test."""
        heard = self.hear(test)
        if fits(test.expect, heard.spoken, partial=test.partial) and not heard.faults:
            return Proved(test)
        return tell(test, heard, self.table)

    def hear(self, test: RuleTest) -> Heard:
        """Let the test's events come, and hear what is said."""
        said: list[Said] = []
        fates: list[Fate] = []
        rehearsal = Rehearsal(self.table, say=said.append, made=fates.append)
        faults: dict[str, None] = {}
        for event in test.events:
            errors = rehearsal.post(event).errors
            faults |= {f"rule `{rule}` fails: {reason}": None for rule, reason in errors}
        end = test.start + (LONGEST if test.until is None else test.until) + SAME_MOMENT
        while (moment := rehearsal.next_moment) is not None and moment <= end and len(said) < MOST:
            rehearsal.run(moment)
        if moment is not None and (test.until is None or moment <= end):
            faults[ENDLESS] = None
        spoken = tuple(self._spoken(one, test.start) for one in said)
        faults |= {fault: None for one in spoken if (fault := _words_failed(one)) is not None}
        return Heard(spoken, tuple(fates), tuple(faults))

    def _spoken(self, said: Said, start: float) -> Spoken:
        message = words_of(said, self.ruleset, self._renderer, self._formats.__getitem__)
        return Spoken(said.at - start, said, message)


def prove(found: Built, formats: Callable[[Mapping[str, Channel]], Mapping[str, Format]]) -> Built:
    """Run all tests of rules that were built; each that fails is a problem of them.

    Rules with other problems are answered as they are: their tests cannot be run.
    """
    if found.ruleset is None or not found.tests:
        return found
    proof = Proof(found.ruleset, formats(found.ruleset.channels))
    tested = tuple(proof.run(test) for test in found.tests)
    failing = [_problem(one) for one in tested if not one.passes]
    return msgspec.structs.replace(
        found,
        ruleset=None if failing else found.ruleset,
        problems=[*found.problems, *failing],
        tested=tested,
    )


def _problem(tested: Proved) -> Problem:
    test = tested.test
    shown = tested.faults[:4]
    more = len(tested.faults) - len(shown)
    notes = (*shown, *([f"and {more} more"] if more else []), _SEE)
    return Problem(test.position, f"test `{test.name}` fails", notes)


def _words_failed(spoken: Spoken) -> str | None:
    if spoken.message.fault is None:
        return None
    who = f"`{spoken.said.rule}` to `{spoken.said.channel}`"
    return f"{who}: its words fail: {spoken.message.fault}; built-in words were said instead"
