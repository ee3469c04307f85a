"""What rules.yaml says, once it has been read and checked: values, nothing of YAML in them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from router.calendar import Calendar
from router.condition import Condition
from router.message import Severity
from router.problem import Position
from router.secret import Redactor, Secret

DAY = 86400.0


class Source(msgspec.Struct, frozen=True):
    """Who may post events: a name, one or two active secrets, and the networks it posts from."""

    name: str
    secrets: tuple[Secret, ...]
    allow: tuple[str, ...] = ()


class Retry(msgspec.Struct, frozen=True):
    """How long and how often to try again, in seconds."""

    budget: float = DAY
    first: float = 5.0
    at_most: float = 3600.0


class Rate(msgspec.Struct, frozen=True):
    """How many messages a channel takes: one per `interval` seconds, `burst` at once after a rest.

    With `gather`, what is more than the rate can carry goes as one message that lists it.
    """

    interval: float
    burst: int = 1
    gather: bool = False

    @property
    def spacing(self) -> float:
        """Seconds between two messages: a little more, since clocks and networks jitter."""
        return self.interval * 1.02

    def free_at(self, next_at: float) -> float:
        """When the next message may go, by the theoretical arrival time of the next."""
        return next_at - (self.burst - 1) * self.spacing


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A named place messages go: exactly one recipient of one service.

    `options` are the service's own keys as in rules.yaml, values from outside filled in
    (secret ones as Secret). `parts` are secrets that stand inside its addresses.
    """

    name: str
    service: Literal["slack", "email", "teams", "webhook", "url"]
    options: dict[str, Any]
    retry: Retry = Retry()
    rate: Rate | None = None
    fallback: str | None = None
    concurrency: int = 4
    hide: frozenset[str] = frozenset()
    parts: tuple[Secret, ...] = ()
    paused: bool = False


class Target(msgspec.Struct, frozen=True):
    """One channel a rule tells, and the template for it where it is not the rule's own."""

    channel: str
    template: str | None = None


class Hours(msgspec.Struct, frozen=True):
    """Say it while the calendar is open; outside, wait until it opens, or `drop` it."""

    calendar: Calendar
    drop: bool = False


class Throttle(msgspec.Struct, frozen=True):
    """Say it once in so many seconds, for each set of values of the fields `by`."""

    once_per: float
    by: tuple[str, ...] = ()


class Digest(msgspec.Struct, frozen=True):
    """Collect, for each set of values of the fields `by`, then say it in one message.

    It closes `every` seconds after what it begins with, or at a time of day (`at`, in minutes)
    on the days that `calendar` is open.
    """

    every: float | None
    at: int | None
    calendar: Calendar
    by: tuple[str, ...] = ()


class Remind(msgspec.Struct, frozen=True):
    """Say it again every so many seconds, `at_most` so often (None: until it is cancelled)."""

    every: float
    at_most: int | None = None


class Escalation(msgspec.Struct, frozen=True):
    """Tell these as well if it is still so after so many seconds."""

    after: float
    targets: tuple[Target, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When this is so, tell them that.

    `when` is None for the rule that speaks otherwise; it may have a condition all the same
    (`unmatched`). Times are in seconds; with `calendar` they are seconds of its open time.
    """

    name: str
    when: Condition | None
    targets: tuple[Target, ...]
    template: str | None = None
    title: str | None = None
    body: str | None = None
    severity: Severity | None = None
    stop: bool = False
    enabled: bool = True
    unmatched: Condition | None = None
    after: float = 0.0
    calendar: Calendar | None = None
    unless: Condition | None = None
    hours: Hours | None = None
    throttle: Throttle | None = None
    digest: Digest | None = None
    dedupe: float | None = None
    remind: Remind | None = None
    escalate: tuple[Escalation, ...] = ()
    position: Position | None = None

    def target(self, channel: str) -> Target:
        """How the rule tells a channel, itself or by an escalation."""
        every = (*self.targets, *(one for step in self.escalate for one in step.targets))
        return next((one for one in every if one.channel == channel), Target(channel))


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the router tells about itself, and to whom.

    `about` is the name of a channel, source or rule, or `any`. `wait` is in seconds; for a silent
    source they are seconds of the calendar's open time where there is one.
    """

    name: str
    kind: Literal["channel_failing", "silent_source", "template_error"]
    about: str
    targets: tuple[Target, ...]
    wait: float = 0.0
    calendar: Calendar | None = None


class Ruleset(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a rules.yaml and its templates say at one time.

    `hash` names it. `files` are the texts it was read from (path as the user wrote it -> text),
    with secrets that stand in the file itself masked: what the ledger keeps. `templates` maps a
    file name in the templates folder to its text.
    """

    hash: str
    sources: dict[str, Source]
    channels: dict[str, Channel]
    rules: tuple[Rule, ...]
    templates: dict[str, str]
    files: dict[str, str]
    watches: tuple[Watch, ...] = ()

    def rule(self, name: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def secrets(self) -> list[Secret]:
        """Every secret that stands in this ruleset, for redaction."""
        found = [secret for source in self.sources.values() for secret in source.secrets]
        for channel in self.channels.values():
            found.extend((*_secrets_in(channel.options), *channel.parts))
        return found

    def redactor(self) -> Redactor:
        return Redactor(self.secrets())


def _secrets_in(value: Any) -> list[Secret]:
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, dict):
        return [secret for item in value.values() for secret in _secrets_in(item)]
    if isinstance(value, list | tuple):
        return [secret for item in value for secret in _secrets_in(item)]
    return []
