"""The shapes of `tests:`: what happens, and everything that is said because of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from router.rulebook.shape_base import Duration, Name, Shape, Text, key

_EVENT: dict[str, Any] = {"trigger": "case_approved", "process_key": "kyc_process"}
EXAMPLE: dict[str, Any] = {
    "name": "an approved KYC case reaches compliance",
    "event": {**_EVENT, "case_name": "Acme Corp"},
    "expect": [
        {"rule": "case approved", "channel": "compliance", "title_contains": "Acme Corp"},
    ],
}
Given = Annotated[dict[str, Any], WithJsonSchema({"defined": "Event"})]


class StepShape(Shape):
    """One event of a test, and when it comes."""

    at: Duration = key(
        "a duration like 5h", "when it comes, from the start on", ..., examples=["0h", "5h"]
    )
    event: Given = key(
        "a mapping like { trigger: case_created }",
        "the event: its trigger, and the fields that matter; the others are filled in",
        ...,
        examples=[_EVENT],
    )


class ExpectShape(Shape):
    """One message that is expected."""

    rule: Name = key("a rule", "the rule that speaks", ..., examples=["case approved"])
    channel: Name = key("a channel", "the channel that it tells", ..., examples=["compliance"])
    title: StrictStr = key(
        "a text", "the title, exactly", examples=["KYC-0042 approved"], left_out="any title"
    )
    body: StrictStr = key(
        "a text",
        "the body, exactly; of a mail, its HTML or its text",
        examples=["Nothing is left to do."],
        left_out="any body",
    )
    title_contains: Text = key(
        "a text", "what stands in the title", examples=["Acme Corp"], left_out="any title"
    )
    body_contains: Text = key(
        "a text", "what stands in the body", examples=["Acme Corp"], left_out="any body"
    )
    at: Duration = key(
        "a duration like 2d",
        "when it is said, from the start on",
        examples=["2d"],
        left_out="any time, in the order of the list",
    )
    events: Annotated[StrictInt, Field(ge=1)] = key(
        "a whole number from 1",
        "how many events it lists: of a digest, what it holds",
        examples=[3],
        left_out="any number",
    )


class TestShape(Shape):
    """What happens, and everything that the rules say about it."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["event"]}, {"required": ["steps"]}]}
    )

    name: Name = key(
        "a text", "what is tested; no two tests share one", ..., examples=[EXAMPLE["name"]]
    )
    event: Given = key(
        "a mapping like { trigger: case_created }",
        "the one event: its trigger, and the fields that matter; the others are filled in",
        examples=[_EVENT],
        left_out="`steps` say what happens",
    )
    steps: Annotated[list[StepShape], Field(min_length=1)] = key(
        "a list of { at, event }, one at least",
        "several events, in their order; without a case of its own, a step is about the case of"
        " the step before",
        examples=[[{"at": "0h", "event": _EVENT}, {"at": "5h", "event": _EVENT}]],
        left_out="`event` is what happens",
    )
    start: Text = key(
        "a date and time like 2026-03-05T16:00",
        "when the fake clock begins; without a zone, by the clocks of the calendars",
        examples=["2026-03-05T16:00"],
        left_out="a Monday at ten: 2026-03-02T10:00",
    )
    until: Duration = key(
        "a duration like 5d",
        "how far the fake clock runs, from the start on",
        examples=["5d"],
        left_out="until nothing waits any more",
    )
    expect: list[ExpectShape] = key(
        "a list of { rule, channel }; [] is silence",
        "everything that is said, in order; at the same moment in any order",
        ...,
        examples=[EXAMPLE["expect"], []],
    )
    partial: StrictBool = key(
        "true or false",
        "more may be said than is expected",
        examples=[True],
        left_out="false: what is not expected fails the test",
    )


class TestFileShape(Shape):
    """A file of tests beside the rules, like rules.test.yaml."""

    version: Literal[1] = key("1", "the version of this language", examples=[1])
    tests: list[TestShape] | None = key("a list of tests", "tests of the rules", examples=[[]])
