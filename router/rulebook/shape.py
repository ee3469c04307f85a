"""The shape of rules.yaml: every key, what it takes and what it means; the schema is made of it.

Each field's `expects` completes the sentence "`key` must be ...".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from router.rulebook.shape_base import SEVERITY, Name, Number, Shape, Text, When, key
from router.rulebook.shape_time import (
    CalendarShape,
    DigestShape,
    EscalationShape,
    HoursShape,
    RemindShape,
    TargetShape,
    ThrottleShape,
    WatchShape,
)


class SourceShape(Shape):
    """Who may post events."""

    secret: Text | list[Text] = key(
        "a text, or a list of two while one replaces the other",
        "what a post must carry; best from outside: ${ATFINITY_SECRET}",
        ...,
    )
    allow: list[Text] | None = key(
        "a list of networks like 10.0.0.0/8", "the networks that posts may come from"
    )


class SlackShape(Shape):
    """A Slack channel or person, through a bot or an incoming webhook."""

    token: StrictStr | None = key("a text", "the bot's token (xoxb-...); needs `to`")
    to: Text | None = key("a text like #kyc", "the channel or user that the bot posts to")
    webhook: StrictStr | None = key("a web address", "an incoming webhook, instead of a bot")


class EmailShape(Shape):
    """One mail address, through a mail server."""

    host: StrictStr = key("the name of a mail server", "the mail server", ...)
    port: Number | None = key("a number", "its port; 587, 465 or 25 by `security`")
    security: Literal["starttls", "ssl", "none"] | None = key(
        "starttls, ssl or none", "how the connection is protected; starttls unless told"
    )
    user: StrictStr | None = key("a text", "the user to log in as")
    password: StrictStr | None = key("a text", "the user's password")
    from_: Text = key("a mail address", "who it is from", ..., alias="from")
    to: Text = key("one mail address", "who it is to", ...)
    reply_to: Text | None = key("a mail address", "where answers go")
    cc: Text | list[Text] | None = key("a mail address, or a list", "who gets a copy")


class TeamsShape(Shape):
    """A Teams channel, through a workflow's address."""

    webhook: StrictStr = key("a web address", "the workflow's address", ...)


class WebhookShape(Shape):
    """Anybody's server: a JSON POST of event, rule and message."""

    url: StrictStr = key("a web address", "where it is posted", ...)
    headers: dict[str, StrictStr] | None = key("header names with texts", "headers to add")
    secret: StrictStr | None = key("a text", "signs the post after Standard Webhooks")


class RetryShape(Shape):
    """How long and how often to try again."""

    for_: Text | None = key(
        "a duration like 24h", "how long to try before it has failed for good", alias="for"
    )
    first: Text | None = key("a duration like 5s", "the wait before the second attempt")
    at_most: Text | None = key("a duration like 1h", "the longest wait between two attempts")


class ChannelShape(Shape):
    """A named place messages go: exactly one recipient of one service."""

    slack: SlackShape | None = key("a mapping like { token, to }", "a Slack channel or person")
    email: EmailShape | None = key("a mapping like { host, from, to }", "a mail address")
    teams: TeamsShape | None = key("a mapping like { webhook }", "a Teams channel")
    webhook: WebhookShape | None = key("a mapping like { url }", "a server that takes JSON")
    url: StrictStr | None = key("an apprise address", "any other service, by its apprise address")
    retry: RetryShape | None = key("a mapping like { for, first, at_most }", "when to try again")
    fallback: Text | None = key("a channel", "who is told when a delivery failed for good")
    concurrency: Annotated[StrictInt, Field(ge=1, le=32)] | None = key(
        "a whole number from 1 to 32", "how many messages may be on their way at once"
    )
    hide: list[Text] | None = key("a list of fields", "fields that are masked on this channel")
    rate: Text | None = key(
        "a rate like 1/s or 30/min",
        "how many messages it takes; 1/s for Slack and 30/min for email unless told",
        examples=["1/s", "30/min"],
    )
    burst: Annotated[StrictInt, Field(ge=1, le=1000)] | None = key(
        "a whole number from 1 to 1000", "how many may go at once after a rest; 1 unless told"
    )
    overflow: Literal["digest", "keep"] | None = key(
        "digest or keep",
        "what happens when more wait than the rate can carry: one message that lists them, or one"
        " by one; digest for chat, keep for others",
    )
    paused: StrictBool | None = key("true or false", "hold all messages until it is taken away")


class RuleShape(Shape):
    """When this is so, tell them that."""

    name: Name = key("a text", "what people call it; no two rules share one", ...)
    description: StrictStr | None = key("a text", "what it is for")
    when: When | None = key("field tests, or `always`", "what an event must meet")
    otherwise: StrictBool | None = key("true or false", "speak when no other rule did")
    stop: StrictBool | None = key("true or false", "no rule after this one is asked")
    enabled: StrictBool | None = key("true or false", "false parks the rule")
    notify: Name | list[Name | TargetShape] | None = key(
        "a channel, a group, or a list of them", "who is told"
    )
    template: Text | None = key("a template", "the template family that says it")
    title: Text | None = key("a text", "the title, instead of a template's")
    body: Text | None = key("a text", "the body, instead of a template's")
    severity: SEVERITY | None = key("info, success, warning or failure", "how bad it is")
    after: Text | None = key(
        "a duration like 2h",
        "wait this long after the event; with `calendar`, in its open time: a day is a working day",
        examples=["2h", "1d12h"],
    )
    calendar: Text | None = key(
        "a calendar", "in whose open time `after`, `remind` and `escalate` are counted"
    )
    unless: When | None = key(
        "field tests, or `always`",
        "an event of the same case that meets it meanwhile cancels what is still to be said",
        examples=[{"trigger": "case_state_changed", "previous_state_key": "in_review"}],
    )
    hours: Text | HoursShape | None = key(
        "a calendar, or { calendar, outside }",
        "outside these hours the message waits until they begin",
        examples=["office", {"calendar": "office", "outside": "drop"}],
    )
    throttle: ThrottleShape | None = key(
        "a mapping like { once_per, by }",
        "the first speaks; the rest are recorded, and counted in the next one",
        examples=[{"once_per": "1h", "by": ["case_id"]}],
    )
    digest: DigestShape | None = key(
        "a mapping like { every, by }",
        "collect, then say it in one message that lists them",
        examples=[{"every": "1h", "by": "process_key"}, {"at": "09:00", "calendar": "office"}],
    )
    dedupe: Text | None = key(
        "a duration like 30s", "an identical event within it is recorded, and not repeated"
    )
    remind: RemindShape | None = key(
        "a mapping like { every, at_most }",
        "with `unless`: say it again until it is cancelled",
        examples=[{"every": "1d", "at_most": 3}],
    )
    escalate: list[EscalationShape] | None = key(
        "a list of { after, notify }",
        "with `unless`: tell others if it is still so",
        examples=[[{"after": "4h", "notify": "head-of-kyc"}]],
    )


class DefaultsShape(Shape):
    """What rules and channels have unless they say otherwise."""

    template: Text | None = key("a template", "the template of rules without words of their own")
    severity: SEVERITY | None = key("info, success, warning or failure", "how bad it is")
    notify: Name | list[Name | TargetShape] | None = key(
        "a channel, a group, or a list of them", "who is told"
    )
    retry: RetryShape | None = key("a mapping like { for, first, at_most }", "when to try again")
    calendar: Text | None = key("a calendar", "the calendar of rules without one")


class IncludedShape(Shape):
    """A file that is included: more rules and groups."""

    groups: dict[Name, list[Name]] | None = key("group names with channels", "lists of channels")
    rules: list[RuleShape] | None = key("a list of rules", "more rules")
    watch: list[WatchShape] | None = key("a list of watches", "more to be told about the router")


class RulebookShape(Shape):
    """rules.yaml: who may post, where messages go, and when to say what."""

    version: Literal[1] = key("1", "the version of this language", ...)
    sources: dict[Name, SourceShape] | None = key("names with secrets", "who may post events")
    channels: dict[Name, ChannelShape] | None = key("names with services", "where messages go")
    groups: dict[Name, list[Name]] | None = key("group names with channels", "lists of channels")
    defaults: DefaultsShape | None = key("a mapping", "what holds unless a rule says otherwise")
    known: dict[Name, list[StrictStr | StrictInt | StrictFloat]] | None = key(
        "field names with lists", "the keys that these fields can have; others are problems"
    )
    include: list[Text] | None = key("a list of files like rules.d/*.yaml", "more rules")
    calendars: dict[Name, CalendarShape] | None = key("names with hours", "when places are open")
    rules: list[RuleShape] | None = key("a list of rules", "when to say what to whom")
    watch: list[WatchShape] | None = key(
        "a list of watches", "what the router tells about itself, and to whom"
    )


NOT_YET: dict[str, dict[str, str]] = {
    "file": {"tests": "nothing would run them"},
}
"""Keys that the language has and this version has not: refused, since to pass over one in
silence would say something else than what is written."""
