"""Matching: a condition's answer for an event. `Index` is fast, `evaluate` says why."""

from router.match.describe import describe, describe_condition, show_value
from router.match.evaluate import Expressions, evaluate, holds, tests_of
from router.match.fields import find, meets
from router.match.index import Index, Matches
from router.match.pattern import compile_glob, compile_regex, witnesses
from router.match.possible import possible
from router.match.verdict import Check, ExpressionError, PatternError, Verdict

__all__ = [
    "Check",
    "ExpressionError",
    "Expressions",
    "Index",
    "Matches",
    "PatternError",
    "Verdict",
    "compile_glob",
    "compile_regex",
    "describe",
    "describe_condition",
    "evaluate",
    "find",
    "holds",
    "meets",
    "possible",
    "show_value",
    "tests_of",
    "witnesses",
]
