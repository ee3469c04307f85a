"""The shapes of who may post and where messages go: sources, channels and their services."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from router.rulebook.shape_base import Duration, Number, Shape, Text, key

_RATE: Any = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*/\s*\d*\s*(s|sec|m|min|h|d)\s*$",
    "patternErrorMessage": "this is not a rate; write one like 1/s or 30/min",
}


class SourceShape(Shape):
    """Who may post events."""

    secret: (
        Text
        | Annotated[
            list[Text],
            WithJsonSchema(
                {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "maxItems": 2,
                }
            ),
        ]
    ) = key(
        "a text, or a list of two while one replaces the other",
        "what a post must carry; best from outside, like ${ATFINITY_SECRET}",
        ...,
        examples=["${ATFINITY_SECRET}", ["${ATFINITY_SECRET}", "${ATFINITY_SECRET_NEXT}"]],
    )
    allow: list[Text] = key(
        "a list of networks like 10.0.0.0/8",
        "the networks that posts may come from",
        examples=[["10.0.0.0/8"]],
        left_out="any network",
    )


class SlackShape(Shape):
    """A Slack channel or person, through a bot or an incoming webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["webhook"]},
            "then": {"properties": {"token": False, "to": False}},
            "else": {"required": ["token", "to"]},
        }
    )

    token: StrictStr = key(
        "a text", "the bot's token (xoxb-...); needs `to`", examples=["${SLACK_BOT_TOKEN}"]
    )
    to: Text = key(
        "a text like #kyc", "the channel or user that the bot posts to", examples=["#kyc"]
    )
    webhook: StrictStr = key(
        "a web address",
        "an incoming webhook, instead of a bot",
        examples=["${SLACK_WEBHOOK}"],
    )


class EmailShape(Shape):
    """One mail address, through a mail server."""

    host: StrictStr = key(
        "the name of a mail server", "the mail server", ..., examples=["smtp.bank.example"]
    )
    port: Number = key(
        "a number", "its port", examples=[587], left_out="587, 465 or 25, by `security`"
    )
    security: Literal["starttls", "ssl", "none"] = key(
        "starttls, ssl or none",
        "how the connection is protected",
        examples=["ssl"],
        left_out="starttls",
    )
    user: StrictStr = key(
        "a text", "the user to log in as", examples=["router"], left_out="no log-in"
    )
    password: StrictStr = key(
        "a text", "the user's password", examples=["${SMTP_PASSWORD}"], left_out="no log-in"
    )
    from_: Text = key(
        "a mail address",
        "who it is from",
        ...,
        alias="from",
        examples=["kyc@bank.example", "atfinity router <kyc@bank.example>"],
    )
    to: Text = key("one mail address", "who it is to", ..., examples=["compliance@bank.example"])
    reply_to: Text = key(
        "a mail address",
        "where answers go",
        examples=["kyc-team@bank.example"],
        left_out="to `from`",
    )
    cc: Text | list[Text] = key(
        "a mail address, or a list",
        "who gets a copy",
        examples=["archive@bank.example", ["archive@bank.example", "audit@bank.example"]],
        left_out="nobody",
    )


class TeamsShape(Shape):
    """A Teams channel, through a workflow's address."""

    webhook: StrictStr = key(
        "a web address", "the workflow's address", ..., examples=["${TEAMS_WEBHOOK}"]
    )


class WebhookShape(Shape):
    """Anybody's server: a JSON POST of event, rule and message."""

    url: StrictStr = key(
        "a web address", "where it is posted", ..., examples=["https://system.bank.example/in"]
    )
    headers: dict[str, StrictStr] = key(
        "header names with texts",
        "headers to add",
        examples=[{"X-Team": "kyc"}],
        left_out="none",
    )
    secret: StrictStr = key(
        "a text",
        "signs the post after Standard Webhooks",
        examples=["${SIGNING_SECRET}"],
        left_out="the post is not signed",
    )


class RetryShape(Shape):
    """How long and how often to try again."""

    for_: Duration = key(
        "a duration like 24h",
        "how long to try before it has failed for good",
        alias="for",
        examples=["24h"],
        left_out="24h",
    )
    first: Duration = key(
        "a duration like 5s", "the wait before the second attempt", examples=["5s"], left_out="5s"
    )
    at_most: Duration = key(
        "a duration like 1h",
        "the longest wait between two attempts",
        examples=["1h"],
        left_out="1h",
    )


SERVICES = ("slack", "email", "teams", "webhook", "url")


class ChannelShape(Shape):
    """A named place messages go: exactly one recipient of one service."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [service]} for service in SERVICES]}
    )

    slack: SlackShape = key(
        "a mapping like { token, to }",
        "a Slack channel or person",
        examples=[{"token": "${SLACK_BOT_TOKEN}", "to": "#kyc"}, {"webhook": "${SLACK_WEBHOOK}"}],
    )
    email: EmailShape = key(
        "a mapping like { host, from, to }",
        "a mail address",
        examples=[
            {
                "host": "smtp.bank.example",
                "user": "router",
                "password": "${SMTP_PASSWORD}",
                "from": "kyc@bank.example",
                "to": "compliance@bank.example",
            }
        ],
    )
    teams: TeamsShape = key(
        "a mapping like { webhook }", "a Teams channel", examples=[{"webhook": "${TEAMS_WEBHOOK}"}]
    )
    webhook: WebhookShape = key(
        "a mapping like { url }",
        "a server that takes a JSON POST of event, rule and message",
        examples=[{"url": "https://system.bank.example/in", "secret": "${SIGNING_SECRET}"}],
    )
    url: StrictStr = key(
        "an apprise address",
        "any other service, by its apprise address; values from outside are percent-encoded",
        examples=["pover://${PUSHOVER_USER}@${PUSHOVER_TOKEN}"],
    )
    retry: RetryShape = key(
        "a mapping like { for, first, at_most }",
        "how long and how often to try again",
        examples=[{"for": "12h", "first": "10s", "at_most": "30m"}],
        left_out="as `defaults` say, or { for: 24h, first: 5s, at_most: 1h }",
    )
    fallback: Text = key(
        "a channel",
        "who is told when a delivery failed for good",
        examples=["duty-phone"],
        left_out="nobody",
    )
    concurrency: Annotated[StrictInt, Field(ge=1, le=32)] = key(
        "a whole number from 1 to 32",
        "how many messages may be on their way at once",
        examples=[2],
        left_out="4",
    )
    hide: list[Text] = key(
        "a list of fields",
        "fields that are masked on this channel",
        examples=[["case_name"]],
        left_out="nothing is masked",
    )
    rate: Annotated[Text, WithJsonSchema(_RATE)] = key(
        "a rate like 1/s or 30/min",
        "how many messages it takes",
        examples=["1/s", "30/min"],
        left_out="1/s for Slack, 30/min for email, no limit for others",
    )
    burst: Annotated[StrictInt, Field(ge=1, le=1000)] = key(
        "a whole number from 1 to 1000",
        "how many may go at once after a rest",
        examples=[5],
        left_out="1 with a `rate`; 4 for Slack and 10 for email as they are",
    )
    overflow: Literal["digest", "keep"] = key(
        "digest or keep",
        "what happens when more wait than the rate can carry: they go as one message that lists"
        " them (digest), or one by one (keep)",
        examples=["keep"],
        left_out="digest for chat, keep for others",
    )
    paused: StrictBool = key(
        "true or false",
        "hold all messages until it is taken away",
        examples=[True],
        left_out="false",
    )
