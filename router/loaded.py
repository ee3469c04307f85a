"""What came of reading the rules on disk."""

from __future__ import annotations

from typing import Literal

import msgspec

from router.problem import Problem, report

LoadOutcome = Literal["changed", "unchanged", "broken", "unwritten"]


class Loaded(msgspec.Struct, frozen=True):
    """What a load came to; `problems` point into the texts of `files`.

    - `changed`, `unchanged`: what is on disk is in force.
    - `broken`: it is not, by its problems.
    - `unwritten`: it is well, and not in force: the database does not take it now, by `fault`
      in the database's words. It is tried again without being asked.
    """

    outcome: LoadOutcome
    problems: tuple[Problem, ...] = ()
    files: dict[str, str] = {}
    fault: str = ""

    @property
    def is_in_force(self) -> bool:
        """Whether the rules on disk are those in force."""
        return self.outcome in ("changed", "unchanged")

    def report(self, name: str) -> str:
        """Say all problems, and what follows."""
        verdict = "the rules in force stay as they were" if self.outcome == "broken" else "in force"
        return report(self.problems, self.files, name, verdict)


class NoRules(Exception):
    """There are no rules to start with; the text is the report of what is wrong."""
