"""The shape of rules.yaml: every key, what it takes and what it means; the schema is made of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, StrictBool, StrictFloat, StrictInt, StrictStr

from router.rulebook.shape_base import SEVERITY, Duration, Name, Shape, Text, When, key
from router.rulebook.shape_channels import ChannelShape, RetryShape, SourceShape
from router.rulebook.shape_test import EXAMPLE, TestShape
from router.rulebook.shape_time import (
    CalendarShape,
    DigestShape,
    EscalationShape,
    HoursShape,
    Notify,
    RemindShape,
    ThrottleShape,
    WatchShape,
)

_WAITS: Any = [{"required": [name]} for name in ("after", "remind", "escalate")]
_NOTIFY = ["compliance", ["kyc-team", {"channel": "compliance", "template": "short"}]]


class RuleShape(Shape):
    """When this is so, tell them that."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["otherwise"], "properties": {"otherwise": {"enum": [True]}}},
            "then": {"properties": {"when": False}},
            "else": {"required": ["when"]},
            "dependencies": {
                "unless": {"anyOf": _WAITS},
                "remind": ["unless"],
                "escalate": ["unless"],
                "digest": {"properties": {"throttle": False}},
                "calendar": {"anyOf": [*_WAITS, {"required": ["digest"]}]},
            },
        }
    )

    name: Name = key(
        "a text of 120 characters at most",
        "what people call it; no two rules share one",
        ...,
        examples=["KYC approved"],
    )
    description: StrictStr = key(
        "a text", "what it is for", examples=["The desk files the case when it hears of it."]
    )
    when: When = key(
        "field tests, or `always`",
        "what an event must meet: field to test, every line must hold; `any`, `all`, `not` and"
        " `if` combine; `always` is every event",
        examples=[
            {"trigger": "case_approved", "process_key": ["kyc_process", "onboarding_*"]},
            "always",
        ],
    )
    otherwise: StrictBool = key(
        "true or false",
        "in place of `when`: speak when no other rule did",
        examples=[True],
        left_out="false",
    )
    stop: StrictBool = key(
        "true or false",
        "when it speaks, no rule after this one is asked",
        examples=[True],
        left_out="false: every rule that matches speaks",
    )
    enabled: StrictBool = key(
        "true or false", "false parks the rule", examples=[False], left_out="true"
    )
    notify: Notify = key(
        "a channel, a group, or a list of them",
        "who is told; an item of the list may be { channel, template }",
        examples=_NOTIFY,
        left_out="as `defaults` say; one of them is needed",
    )
    template: Text = key(
        "a template",
        "the template family that says it: the files NAME.html.j2, NAME.slack.j2, NAME.md.j2 and"
        " NAME.txt.j2",
        examples=["case_approved"],
        left_out="as `defaults` say, or built-in words for the trigger",
    )
    title: Text = key(
        "a text",
        "the title, instead of a template's",
        examples=["{{ case_user_readable_id }} {{ case_name }} is approved"],
        left_out="the template's",
    )
    body: Text = key(
        "a text",
        "the body, instead of a template's",
        examples=["{{ case_name }} has a new comment."],
        left_out="the template's",
    )
    severity: SEVERITY = key(
        "info, success, warning or failure",
        "how bad it is; it colours the message",
        examples=["success"],
        left_out="as `defaults` say, or by the trigger",
    )
    after: Duration = key(
        "a duration like 2h",
        "wait this long after the event; with `calendar`, in its open time: a day is a working day",
        examples=["2h", "1d12h"],
        left_out="it speaks at once",
    )
    calendar: Text = key(
        "a calendar",
        "in whose open time `after`, `remind` and `escalate` are counted, and by whose days a"
        " `digest` goes",
        examples=["office"],
        left_out="as `defaults` say, or all time counts",
    )
    unless: When = key(
        "field tests, or `always`",
        "an event of the same case that meets it meanwhile cancels what is still to be said",
        examples=[{"trigger": "case_state_changed", "previous_state_key": "in_review"}],
        left_out="nothing cancels it",
    )
    hours: Text | HoursShape = key(
        "a calendar, or { calendar, outside }",
        "outside these hours the message waits until they begin",
        examples=["office", {"calendar": "office", "outside": "drop"}],
        left_out="it may speak at any time",
    )
    throttle: ThrottleShape = key(
        "a mapping like { once_per, by }",
        "the first speaks; the rest are recorded, and counted in the next one",
        examples=[{"once_per": "1h", "by": ["case_id"]}],
        left_out="every one is said",
    )
    digest: DigestShape = key(
        "a mapping like { every, by }",
        "collect, then say it in one message that lists them",
        examples=[{"every": "1h", "by": "process_key"}, {"at": "09:00", "calendar": "office"}],
        left_out="each is said by itself",
    )
    dedupe: Duration = key(
        "a duration like 30s",
        "an identical event within it is recorded, and not repeated",
        examples=["30s"],
        left_out="every event counts",
    )
    remind: RemindShape = key(
        "a mapping like { every, at_most }",
        "with `unless`: say it again until it is cancelled",
        examples=[{"every": "1d", "at_most": 3}],
        left_out="it is said once",
    )
    escalate: list[EscalationShape] = key(
        "a list of { after, notify }",
        "with `unless`: tell others if it is still so",
        examples=[[{"after": "4h", "notify": "head-of-kyc"}]],
        left_out="nobody else is told",
    )


class DefaultsShape(Shape):
    """What rules and channels have unless they say otherwise."""

    template: Text = key(
        "a template", "the template of rules without words of their own", examples=["case_changed"]
    )
    severity: SEVERITY = key(
        "info, success, warning or failure",
        "the severity of rules without one",
        examples=["warning"],
    )
    notify: Notify = key(
        "a channel, a group, or a list of them",
        "who is told by rules that do not say it",
        examples=["kyc-team"],
    )
    retry: RetryShape = key(
        "a mapping like { for, first, at_most }",
        "when channels try again that do not say it",
        examples=[{"for": "12h"}],
    )
    calendar: Text = key("a calendar", "the calendar of rules without one", examples=["office"])


class IncludedShape(Shape):
    """A file that is included: more rules, groups, watches and tests."""

    groups: dict[Name, list[Name]] | None = key(
        "group names with channels", "lists of channels", examples=[{"desk": ["kyc-team"]}]
    )
    rules: list[RuleShape] | None = key(
        "a list of rules",
        "more rules",
        examples=[[{"name": "comments", "when": {"trigger": "case_comment"}, "notify": "desk"}]],
    )
    watch: list[WatchShape] | None = key(
        "a list of watches",
        "more to be told about the router",
        examples=[[{"template_error": "any", "notify": "operations"}]],
    )
    tests: list[TestShape] | None = key(
        "a list of tests", "more tests of the rules", examples=[[EXAMPLE]]
    )


class RulebookShape(Shape):
    """rules.yaml: who may post, where messages go, and when to say what."""

    version: Literal[1] = key("1", "the version of this language", ..., examples=[1])
    sources: dict[Name, SourceShape] | None = key(
        "names with secrets",
        "who may post events: each has an address of its own, /hooks/NAME/SECRET",
        examples=[{"atfinity": {"secret": "${ATFINITY_SECRET}"}}],
    )
    channels: dict[Name, ChannelShape] | None = key(
        "names with services",
        "where messages go: each names exactly one recipient of one service",
        examples=[{"kyc-team": {"slack": {"token": "${SLACK_BOT_TOKEN}", "to": "#kyc"}}}],
    )
    groups: dict[Name, list[Name]] | None = key(
        "group names with channels",
        "lists of channels, to be named in `notify` like one",
        examples=[{"kyc-outcome": ["kyc-team", "compliance"]}],
    )
    defaults: DefaultsShape | None = key(
        "a mapping",
        "what holds unless a rule or channel says otherwise",
        examples=[{"severity": "info", "calendar": "office"}],
    )
    known: dict[Name, list[StrictStr | StrictInt | StrictFloat]] | None = key(
        "field names with lists",
        "the keys that these fields can have: rules that test for others are problems; an empty"
        " list names a field that a newer atfinity sends, with any value",
        examples=[{"process_key": ["kyc_process", "onboarding_person"], "archived_by": []}],
        left_out="any key may come",
    )
    include: list[Text] | None = key(
        "a list of files like rules.d/*.yaml",
        "files beside this one with more `rules`, `groups`, `watch` and `tests`, in the order of"
        " their names",
        examples=[["rules.d/*.yaml"]],
    )
    calendars: dict[Name, CalendarShape] | None = key(
        "names with hours",
        "when places are open",
        examples=[
            {"office": {"timezone": "Europe/Zurich", "days": "mon-fri", "hours": "08:00-18:00"}}
        ],
    )
    rules: list[RuleShape] | None = key(
        "a list of rules",
        "when to say what to whom; every rule that matches speaks",
        examples=[
            [{"name": "approved", "when": {"trigger": "case_approved"}, "notify": "compliance"}]
        ],
    )
    watch: list[WatchShape] | None = key(
        "a list of watches",
        "what the router tells about itself, and to whom",
        examples=[[{"channel_failing": "any", "for": "15m", "notify": ["operations", "kyc-team"]}]],
    )
    tests: list[TestShape] | None = key(
        "a list of tests",
        "rules that prove themselves: what happens, and everything that is said; they may stand in"
        " files like rules.test.yaml beside this one too",
        examples=[[EXAMPLE]],
    )
