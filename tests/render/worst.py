"""Asks expressions and renders templates in a process with bounds of its own, for test_limits.

Reads a list of [kind, source] as JSON, writes what came of each as JSON. A blow-up ends this
process by its limits, and not the machine.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from router.event import Event
from router.match import ExpressionError
from router.render import ExpressionSyntax, Renderer, TemplateFault, compile_expression
from router.render.check import inspect_source
from router.render.convert import (
    markdown_to_slack,
    markdown_to_text,
    slack_to_text,
    text_to_slack,
)
from router.rules import Channel, Rule, Target

MEMORY = 1024**3
SECONDS = 240


def nested(depth: int) -> Any:
    found: Any = "x"
    for _ in range(depth):
        found = [found]
    return found


CONVERSIONS = (markdown_to_slack, markdown_to_text, slack_to_text, text_to_slack)
FIELDS: dict[str, Any] = {
    "trigger": "case_created",
    "case_id": 10**4000,
    "case_name": "KYC ACME\u00df " * 7000,
    "case_version": 7,
    "case_color": "green",
    "document_keys": [[[] for _ in range(300)] for _ in range(300)],
    "action": nested(900),
    "process_key": {f"k{number}": f"v{number}" for number in range(20_000)},
    "transition_key": [f"t{number % 97}" for number in range(15_000)],
}


def outcome(kind: str, source: str) -> str:
    if kind == "if":
        try:
            return f"value {compile_expression(source)(FIELDS)}"
        except ExpressionSyntax as error:
            return f"syntax {error}"
        except ExpressionError as error:
            return f"error {error}"
    if kind == "convert":
        texts = [change(source * (600_000 // len(source))) for change in CONVERSIONS]
        return f"value {max(map(len, texts))}"
    if faults := inspect_source(source, "t.txt.j2", frozenset({"t.txt.j2"})):
        return f"syntax {faults[0].text}"
    renderer = Renderer({"t.txt.j2": source}, base_url="http://r.example")
    asked: dict[str, Any] = {
        "event": Event(1, "s", 0.0, b"", FIELDS),
        "rule": Rule(name="r", when=None, targets=(), template="t"),
        "target": Target("c"),
        "channel": Channel(name="c", service="webhook", options={}),
        "format": "text",
    }
    message = renderer.render(**asked)
    try:
        renderer.strict(**asked)
    except TemplateFault as fault:
        return f"error {fault.text} / {message.rung}"
    return f"value {len(message.body)}"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for kind, source in json.load(sys.stdin):
        # A line at a time: if this process ends, the test sees at which.
        sys.stdout.write(json.dumps(outcome(kind, source)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
