"""Tests of rules as JUnit XML, as most build servers read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.rulebook import Proved

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(name: str, tested: Sequence[Proved], broken: str | None) -> str:
    """One suite, named as the rules file; `broken` is the report of rules that cannot be tested."""
    failures = sum(not one.passes for one in tested)
    counts = {
        "tests": str(len(tested) + (broken is not None)),
        "failures": str(failures),
        "errors": str(int(broken is not None)),
    }
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": _sound(name), **counts})
    for one in tested:
        where = one.test.position
        about = {"name": _sound(one.test.name), "classname": _sound(where.file)}
        case = SubElement(suite, "testcase", {**about, "line": str(where.line)})
        if not one.passes:
            failure = SubElement(case, "failure", {"message": _sound(one.faults[0])})
            failure.text = _sound("\n".join([*one.diff, *one.reasons]))
    if broken is not None:
        case = SubElement(suite, "testcase", {"name": "router check", "classname": _sound(name)})
        error = SubElement(case, "error", {"message": "the rules have problems"})
        error.text = _sound(broken)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _sound(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
