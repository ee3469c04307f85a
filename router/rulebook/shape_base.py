"""What every shape is made of: strict mappings whose keys say what they take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, WithJsonSchema

SEVERITY = Literal["info", "success", "warning", "failure"]
Text = Annotated[StrictStr, Field(min_length=1)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=120)]
Number = StrictInt | StrictStr
# What the schema says of a text and the shape leaves to its reader, who has better words.
_DURATION: Any = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$",
    "patternErrorMessage": "this is not a duration; write one like 30s, 2h or 1d12h",
}
_CLOCK: Any = {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
    "patternErrorMessage": "this is not a time of day; write one like 09:00 or 17:30",
}
Duration = Annotated[Text, WithJsonSchema(_DURATION)]
Clock = Annotated[Text, WithJsonSchema(_CLOCK)]
# The reader of conditions tells what is wrong in one; the schema has its own definition of them.
When = Annotated[dict[str, Any] | Literal["always"], WithJsonSchema({"defined": "When"})]


def key(
    expects: str,
    description: str,
    default: Any = None,
    *,
    examples: list[Any],
    left_out: str | None = None,
    **more: Any,
) -> Any:
    """One key: what it takes, what it means, and what holds when it is left out.

    `expects` completes the sentence "`key` must be ..."; the default `...` is a key that is
    needed. A key that stands there holds something: null is for what needs no value.
    """
    extra: dict[str, Any] = {"expects": expects, "left_out": left_out}
    return Field(
        default, description=description, examples=examples, json_schema_extra=extra, **more
    )


class Shape(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)
