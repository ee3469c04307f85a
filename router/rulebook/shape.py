"""The shape of rules.yaml: every key, what it takes and what it means; the schema is made of it.

Each field's `expects` completes the sentence "`key` must be ...".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

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
    paused: StrictBool | None = key("true or false", "hold all messages until it is taken away")


class TargetShape(Shape):
    """One channel to tell, with a template of its own."""

    channel: Name = key("a channel or group", "the channel or group", ...)
    template: Text | None = key("a template", "the template for it")


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


class DefaultsShape(Shape):
    """What rules and channels have unless they say otherwise."""

    template: Text | None = key("a template", "the template of rules without words of their own")
    severity: SEVERITY | None = key("info, success, warning or failure", "how bad it is")
    notify: Name | list[Name | TargetShape] | None = key(
        "a channel, a group, or a list of them", "who is told"
    )
    retry: RetryShape | None = key("a mapping like { for, first, at_most }", "when to try again")


class IncludedShape(Shape):
    """A file that is included: more rules and groups."""

    groups: dict[Name, list[Name]] | None = key("group names with channels", "lists of channels")
    rules: list[RuleShape] | None = key("a list of rules", "more rules")


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
    rules: list[RuleShape] | None = key("a list of rules", "when to say what to whom")


NOT_YET: dict[str, dict[str, str]] = {
    "rule": {
        "after": "it would speak at once",
        "unless": "nothing would cancel it",
        "hours": "it would speak at any hour",
        "calendar": "there are no calendars yet",
        "throttle": "it would say everything",
        "digest": "it would say each by itself",
        "dedupe": "it would say everything",
        "remind": "it would not say it again",
        "escalate": "it would not tell others",
    },
    "channel": {
        "rate": "nothing would slow it down",
        "burst": "nothing would slow it down",
        "overflow": "it would send each by itself",
    },
    "defaults": {"calendar": "there are no calendars yet"},
    "file": {
        "calendars": "no rule could use them",
        "tests": "nothing would run them",
        "watch": "nothing would watch",
    },
}
"""Keys that the language has and this version has not: refused, since to pass over one in
silence would say something else than what is written."""
