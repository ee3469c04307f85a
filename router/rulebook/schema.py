"""The JSON Schema of rules.yaml, for editors; made of the same shapes that `check` uses."""

from __future__ import annotations

import json
from typing import Any

from router.event import TRIGGERS
from router.rulebook.shape import RulebookShape

_FIELDS = {
    "source": "the name of the source that posted it",
    "trigger": "what happened",
    "case_id": "atfinity's own number of the case",
    "case_user_readable_id": "the id people use for the case, like KYC-0042",
    "case_name": "the name of the case",
    "case_url": "where the case is opened",
    "case_version": "the version of the case's data, a number",
    "case_color": "the colour of the case",
    "outcome_instance_id": "the number of the outcome",
    "process_key": "the key of the process, like kyc_process",
    "previous_state_key": "the state it left; case_state_changed only",
    "current_state_key": "the state it is in now; case_state_changed only",
    "transition_key": "the step it took; case_state_changed only",
    "document_keys": "a list of documents; case_documents_updated only",
    "action": "what was done; case_changed and case_documents_updated only",
}
_SCALAR = ["string", "number", "boolean", "null"]
_TEST_REF = {"$ref": "#/$defs/Test"}
_WHEN_REF = {"$ref": "#/$defs/When"}
_WHENS = {"type": "array", "minItems": 1, "items": _WHEN_REF}


def _operator(description: str, takes: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, **takes}


_NUMBER = {"type": "number"}
_OPERATORS = {
    "not": _operator("does not meet the test; null meets it", _TEST_REF),
    "regex": _operator(
        "matches, searched; RE2, so it can never hang", {"type": "string", "examples": ["^VIP\\b"]}
    ),
    "gt": _operator("is a number, and greater", _NUMBER),
    "gte": _operator("is a number, and greater or equal", _NUMBER),
    "lt": _operator("is a number, and less", _NUMBER),
    "lte": _operator("is a number, and less or equal", _NUMBER),
    "contains": _operator(
        "holds the text, letter case aside", {"type": "string", "minLength": 1, "examples": ["AG"]}
    ),
    "every": _operator("all elements of the list meet the test", _TEST_REF),
    "none": _operator("no element of the list meets the test", _TEST_REF),
}
_TEST = {
    "description": "equals it; a list: any of them; `*`, `?`, `[abc]` are wildcards; null: absent",
    "type": [*_SCALAR, "array", "object"],
    "minItems": 1,
    "items": {"allOf": [{"type": [*_SCALAR, "object"]}, _TEST_REF]},
    "minProperties": 1,
    "additionalProperties": False,
    "properties": _OPERATORS,
}
"""One value's test: the keywords for lists and mappings say nothing about what is neither."""


def schema() -> dict[str, Any]:
    """The schema, in the part of JSON Schema that draft-07 readers share."""
    made = RulebookShape.model_json_schema(by_alias=True)
    _tidy(made)
    made["$defs"] |= {"When": _when(), "Test": _TEST, "Event": _event()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rules.yaml of the atfinity router",
        **{name: value for name, value in made.items() if name != "title"},
    }


def schema_text() -> str:
    """The schema as it is printed and kept."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _when() -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: {"description": text, **_TEST_REF} for name, text in _FIELDS.items()
    }
    fields["trigger"] = {
        "description": _FIELDS["trigger"],
        "anyOf": [{"enum": list(TRIGGERS)}, _TEST_REF],
    }
    combined = {
        "any": {"description": "one of these conditions holds", **_WHENS},
        "all": {"description": "all of these conditions hold", **_WHENS},
        "not": {"description": "this condition does not hold", **_WHEN_REF},
        "if": {
            "description": "a Jinja expression over the event's fields, in quotes",
            "type": "string",
            "pattern": "\\S",
            "examples": ["case_version > 5"],
        },
    }
    return {
        "description": "field to test, every line must hold; `always` is every event",
        "anyOf": [
            {"const": "always"},
            {
                "type": "object",
                "minProperties": 1,
                "properties": {**fields, **combined},
                "additionalProperties": _TEST_REF,
                "propertyNames": {"minLength": 1},
            },
        ],
    }


def _event() -> dict[str, Any]:
    """A test's event: the fields that are known, and any others."""
    fields: dict[str, Any] = {name: {"description": text} for name, text in _FIELDS.items()}
    fields["trigger"] |= {"anyOf": [{"enum": list(TRIGGERS)}, {"type": "string", "minLength": 1}]}
    fields["source"]["type"] = "string"
    return {
        "description": "the fields that matter; the others are filled in",
        "type": "object",
        "required": ["trigger"],
        "properties": fields,
    }


def _tidy(node: Any) -> None:
    """Take out what only Python knows, and put in what has its own definition."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
        return
    if not isinstance(node, dict):
        return
    left_out = node.pop("left_out", None)
    if node.pop("expects", None) is not None and left_out is not None:
        node["description"] += f". Left out: {left_out}"
    if (defined := node.pop("defined", None)) is not None:
        node["$ref"] = f"#/$defs/{defined}"
    if isinstance(node.get("title"), str):
        node.pop("title")
    if node.get("default", 0) is None:
        node.pop("default")
    for value in list(node.values()):
        _tidy(value)
