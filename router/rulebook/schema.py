"""The JSON Schema of rules.yaml, for editors; made of the same shapes that `check` uses."""

from __future__ import annotations

from typing import Any

from router.rulebook.shape import RulebookShape


def schema() -> dict[str, Any]:
    """The schema, in the part of JSON Schema that draft-07 readers share."""
    made = RulebookShape.model_json_schema(by_alias=True)
    _tidy(made)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rules.yaml of the atfinity router",
        **{name: value for name, value in made.items() if name != "title"},
    }


def _tidy(node: Any) -> None:
    """Take out what only Python knows: generated titles, null defaults, our own notes."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
        return
    if not isinstance(node, dict):
        return
    node.pop("expects", None)
    if isinstance(node.get("title"), str):
        node.pop("title")
    if node.get("default", 0) is None:
        node.pop("default")
    options = node.get("anyOf")
    if isinstance(options, list):
        options[:] = [option for option in options if option != {"type": "null"}]
        if len(options) == 1:
            node.pop("anyOf")
            for name, value in options[0].items():
                node.setdefault(name, value)
    for value in list(node.values()):
        _tidy(value)
