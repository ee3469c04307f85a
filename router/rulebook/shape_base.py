"""What every shape is made of: strict mappings whose keys say what they take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

SEVERITY = Literal["info", "success", "warning", "failure"]
Text = Annotated[StrictStr, Field(min_length=1)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=120)]
Number = StrictInt | StrictStr
When = Annotated[
    dict[str, Any] | Literal["always"],
    Field(
        description=(
            "what an event must meet: field to test, every line must hold; `any`, `all`, `not` and"
            " `if` combine; `always` is every event"
        ),
        examples=[{"trigger": "case_approved", "process_key": ["kyc_process", "onboarding_*"]}],
    ),
]


def key(expects: str, description: str, default: Any = None, **more: Any) -> Any:
    """One key: what it takes, what it means, and what it is when it is left out (`...`: needed)."""
    extra: dict[str, Any] = {"expects": expects}
    return Field(default, description=description, json_schema_extra=extra, **more)


class Shape(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)
