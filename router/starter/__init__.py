"""The starter: the files of a new working directory, from a few choices. Pure but for its own."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

_HERE = Path(__file__).parent / "files"
_TEXTS = {
    path.relative_to(_HERE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(_HERE.rglob("*"))
    if path.is_file()
}
_NAMES = {"gitignore": ".gitignore"}

WAYS = ("slack", "teams", "email", "webhook")
"""The ways in which a new router may tell people."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a new router is to do: `tell` are some of WAYS, in the order they are wanted."""

    tell: tuple[str, ...]
    process: str
    timezone: str
    port: int
    slack_to: str
    mail_host: str
    mail_from: str
    mail_to: str


def starter(choices: Choices, *, secret: str, password: str, schema: str) -> dict[str, str]:
    """The texts by path, relative to the directory; the schema is that of rules.yaml."""
    channels = {_CHANNELS[way]: way for way in choices.tell}
    first = next(iter(channels))
    values = {
        "PORT": str(choices.port),
        "FIRST": first,
        "LIVE": _live(choices.tell),
    }
    made = {}
    for name, text in _TEXTS.items():
        filled = text
        for key, value in values.items():
            filled = filled.replace(f"%%{key}%%", value)
        made[_NAMES.get(name, name)] = filled
    made["rules.yaml"] = _rules(choices, list(channels))
    made["rules.schema.json"] = schema
    made[".env"] = _environment(choices, secret, password)
    return made


_CHANNELS = {
    "slack": "kyc-team",
    "teams": "kyc-teams",
    "email": "compliance",
    "webhook": "archive",
}
_VARIABLES = {
    "slack": "SLACK_BOT_TOKEN",
    "teams": "TEAMS_WEBHOOK",
    "email": "SMTP_PASSWORD",
    "webhook": "ARCHIVE_URL",
}


def _live(tell: tuple[str, ...]) -> str:
    names = " and ".join(f"`{_VARIABLES[way]}`" for way in tell)
    return f"Write {names} into `.env`."


def _environment(choices: Choices, secret: str, password: str) -> str:
    lines = [
        "# Secrets and settings of this router; for its owner's eyes only.",
        f"ATFINITY_SECRET={secret}",
        f"ROUTER_ADMIN_PASSWORD={password}",
        f"ROUTER_PORT={choices.port}",
        "# capture keeps every message and shows it; live sends.",
        "ROUTER_OUTBOUND=capture",
        "# What is needed to send:",
        *(f"{_VARIABLES[way]}=" for way in choices.tell),
    ]
    return "\n".join(lines) + "\n"


def _channel(way: str, choices: Choices) -> str:
    variable = f'"${{{_VARIABLES[way]}:-}}"'
    if way == "slack":
        return f"    slack: {{ token: {variable}, to: {_option(choices.slack_to)} }}\n"
    if way == "teams":
        return f"    teams: {{ webhook: {variable} }}\n"
    if way == "webhook":
        return f"    webhook: {{ url: {variable} }}\n"
    return (
        "    email:\n"
        f"      host: {_option(choices.mail_host)}\n"
        "      user: router\n"
        f"      password: {variable}\n"
        f"      from: {_option(choices.mail_from)}\n"
        f"      to: {_option(choices.mail_to)}\n"
    )


def _rules(choices: Choices, channels: list[str]) -> str:
    listed = "".join(f"  {_CHANNELS[way]}:\n{_channel(way, choices)}" for way in choices.tell)
    approved, declined = (
        "".join(
            f"      - {{ rule: case {outcome}, channel: {name}, title_contains: Acme Corp }}\n"
            for name in channels
        )
        for outcome in ("approved", "declined")
    )
    return _RULES.format(
        channels=listed,
        all=", ".join(channels),
        first=channels[0],
        process=_quoted(choices.process),
        example=_quoted(choices.process.replace("*", "process")),
        timezone=_quoted(choices.timezone),
        approved=approved,
        declined=declined,
    )


def _quoted(text: str) -> str:
    """A text as YAML takes it, whatever stands in it."""
    return json.dumps(text, ensure_ascii=False)


def _option(text: str) -> str:
    """The same for a channel's option, where a dollar would begin a variable."""
    return _quoted(text.replace("$", "$$"))


_RULES = """\
# yaml-language-server: $schema=./rules.schema.json
#
# Who is told what. Read a rule as a sentence: when this is so, tell them that.
# Before a change is live: `router check --strict`, `router test`.
version: 1

sources:
  atfinity:                          # POST /hooks/atfinity/<secret>
    secret: ${{ATFINITY_SECRET:-}}

channels:
{channels}
calendars:
  office: {{ timezone: {timezone}, days: mon-fri, hours: "08:00-18:00" }}

rules:
  - name: case approved
    when: {{ trigger: case_approved, process_key: {process} }}
    notify: [{all}]
    template: case
    severity: success

  - name: case declined
    when: {{ trigger: case_declined, process_key: {process} }}
    notify: [{all}]
    template: case
    severity: failure

  # Nobody moves it: say so after two working days.
  - name: stuck in review
    when: {{ trigger: case_state_changed, current_state_key: in_review }}
    after: 2d
    calendar: office
    unless: {{ trigger: case_state_changed, previous_state_key: in_review }}
    notify: {first}
    title: "Still in review: {{{{ case_user_readable_id }}}} {{{{ case_name }}}}"
    severity: warning

  # Whatever no rule above speaks about: nothing passes unseen. Take it away when you know all.
  - name: everything else
    otherwise: true
    notify: {first}
    title: "No rule speaks about this: {{{{ trigger }}}} {{{{ case_user_readable_id or '' }}}}"

# What is said about which event; `router test` tries it.
tests:
  - name: an approved case is told
    event: {{ trigger: case_approved, process_key: {example}, case_name: Acme Corp }}
    expect:
{approved}
  - name: a declined case is told
    event: {{ trigger: case_declined, process_key: {example} }}
    expect:
{declined}
  - name: what is stuck in review is told
    event: {{ trigger: case_state_changed, current_state_key: in_review }}
    expect:
      - {{ rule: stuck in review, channel: {first} }}

  - name: what leaves review in time is not stuck
    steps:
      - at: 0h
        event: {{ trigger: case_state_changed, current_state_key: in_review }}
      - at: 5h
        event: {{ trigger: case_state_changed, previous_state_key: in_review }}
    expect:
      - {{ rule: everything else, channel: {first}, at: 5h }}

  - name: nothing passes unseen
    event: {{ trigger: case_comment }}
    expect:
      - {{ rule: everything else, channel: {first} }}
"""
