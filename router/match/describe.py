"""Saying conditions, tests and values in words."""

from __future__ import annotations

import json
from typing import Any

from router.condition import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Equals,
    Every,
    Field,
    Glob,
    If,
    NoElement,
    Not,
    NotTest,
    OneOf,
    Regex,
    Test,
    Together,
)

LONGEST = 80
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def describe(test: Test) -> str:
    """What a test wants: `kyc_process`, `one of a, b`, `> 5`, `not null`."""
    match test:
        case Absent():
            return "null"
        case Equals(value=value):
            return value if isinstance(value, str) else json.dumps(value)
        case Glob(pattern=pattern):
            return f"like {pattern}"
        case Regex(pattern=pattern):
            return f"matching /{pattern}/"
        case Compare(operator=operator, number=number):
            return f"{_SIGNS[operator]} {number}"
        case Contains(text=text):
            return f'containing "{text}"'
        case OneOf(tests=tests):
            return "one of " + ", ".join(describe(inner) for inner in tests)
        case Together(tests=tests):
            return " and ".join(describe(inner) for inner in tests)
        case NotTest(test=inner):
            return f"not {describe(inner)}"
        case Every(test=inner):
            return f"every element {describe(inner)}"
        case NoElement(test=inner):
            return f"no element {describe(inner)}"


def show_value(value: Any) -> str:
    """A value as a reader knows it, on one line and clipped."""
    if isinstance(value, str):
        text = value if value and value.isprintable() else json.dumps(value, ensure_ascii=True)
    else:
        text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def say(field: str, actual: str, test: Test, *, holds: bool) -> str:
    """One check as a sentence: ``trigger is `case_created`, not `case_approved` ``."""
    wanted = describe(test)
    match test:
        case Equals() | Absent():
            return f"{field} is `{actual}`" if holds else f"{field} is `{actual}`, not `{wanted}`"
        case _ if holds:
            return f"{field} is `{actual}`, {wanted}"
        case NotTest(test=Equals() | Absent()):
            return f"{field} is `{actual}`"
        case OneOf(tests=tests):
            return f"{field} is `{actual}`, none of {', '.join(describe(t) for t in tests)}"
        case Glob() | Compare():
            return f"{field} is `{actual}`, not {wanted}"
        case Regex(pattern=pattern):
            return f"{field} is `{actual}`, which does not match /{pattern}/"
        case Contains(text=text):
            return f'{field} is `{actual}`, which does not contain "{text}"'
        case _:
            return f"{field} is `{actual}`, which does not meet: {wanted}"


def describe_condition(condition: Condition) -> str:
    """A condition as a clause: ``trigger is `case_created` and process_key is like kyc_*``."""
    match condition:
        case Always():
            return "anything happens"
        case Field(path=path, test=Equals() | Absent() as test):
            return f"{path} is `{describe(test)}`"
        case Field(path=path, test=NotTest(test=Equals() | Absent() as test)):
            return f"{path} is not `{describe(test)}`"
        case Field(path=path, test=test):
            return f"{path} is {describe(test)}"
        case AllOf(parts=parts):
            return " and ".join(_clause(part) for part in parts)
        case AnyOf(parts=parts):
            return " or ".join(_clause(part) for part in parts)
        case Not(part=part):
            return f"not ({describe_condition(part)})"
        case If(source=source):
            return f"`{source}`"


def _clause(part: Condition) -> str:
    words = describe_condition(part)
    return f"({words})" if isinstance(part, AllOf | AnyOf) else words
