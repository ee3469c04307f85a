"""Trials: what edited rules would say about an event, tried in a process of its own.

What somebody types may be too much for any limit but a clock, and only a process can be stopped by
one. It is told no secret, sends nothing, stores nothing, and what it does holds up nobody.
"""

from router.trial.aside import Aside, TooMuch
from router.trial.backtests import Backtests, Busy
from router.trial.question import Answer, Marked, Progress, Question, Rerun, Tested

__all__ = [
    "Answer",
    "Aside",
    "Backtests",
    "Busy",
    "Marked",
    "Progress",
    "Question",
    "Rerun",
    "Tested",
    "TooMuch",
]
