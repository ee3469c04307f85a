"""The thread that looks at the rules on disk, and reads them again when they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.log import Repeated
from router.scheduler import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.in_force import Rules
    from router.scheduler import Scheduler
    from router.supervisor import Beat

PERIOD = 1.0
"""Seconds between two looks; a change must be seen twice alike."""


class RulesWatch:
    """`run` is kept alive by the supervisor: whatever it meets on disk, it looks again."""

    def __init__(
        self, rules: Rules, reload: Callable[[], object], scheduler: Scheduler = THREADS
    ) -> None:
        self._rules = rules
        self._reload = reload
        self._asked = scheduler.event()
        self._stopping = scheduler.event()

    def ask(self) -> None:
        """Read the rules at once, changed or not."""
        self._asked.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._asked.set()

    def run(self, beat: Beat) -> None:
        """Look until it is stopped."""
        faults = Repeated("rules_fault")
        while not self._stopping.is_set():
            beat()
            try:
                self._look(beat)
            except Exception as error:  # noqa: BLE001 - told in the log; the next look is near
                faults.note("rules", error, expected=False)
                self._stopping.wait(PERIOD)
            else:
                faults.over("rules")

    def _look(self, beat: Beat) -> None:
        asked = self._asked.wait(PERIOD)
        if self._stopping.is_set():
            return
        self._asked.clear()
        if not asked:
            if not self._rules.changed_on_disk():
                return
            # An editor may be in the middle of writing: what is seen twice is whole.
            self._stopping.wait(PERIOD)
        beat()
        self._reload()
