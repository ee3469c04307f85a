"""Trials: what edited rules would say about an event, tried in a process of its own.

What somebody types may be too much for any limit but a clock, and only a process can be stopped by
one. It is told no secret, sends nothing, stores nothing, and what it does holds up nobody.
"""

from router.trial.aside import Aside, TooMuch
from router.trial.question import Answer, Marked, Question, Tested

__all__ = ["Answer", "Aside", "Marked", "Question", "Tested", "TooMuch"]
