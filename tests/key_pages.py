"""docs/keys: one page per key of rules.yaml, made of the shapes that check and schema have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from router.rulebook import schema
from router.rulebook import shape as of_file
from router.rulebook import shape_channels as of_channels
from router.rulebook import shape_test as of_tests
from router.rulebook import shape_time as of_time

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "keys"
Data = dict[str, Any]

STATE = {"trigger": "case_state_changed", "current_state_key": "in_review"}
CHANGED = {"trigger": "case_changed"}
LEFT = {"trigger": "case_state_changed", "previous_state_key": "in_review"}
URL = "https://system.bank.example/in"
MAIL = {"host": "smtp.bank.example", "from": "kyc@bank.example", "to": "compliance@bank.example"}


class Key(NamedTuple):
    """One key: where it stands, what is said of it, and examples in their surroundings."""

    group: str
    name: str
    takes: str
    means: str
    left_out: str
    examples: list[Data]

    @property
    def file(self) -> str:
        return f"{self.group}/{self.name}.md"


class Group(NamedTuple):
    """What holds keys: how it is called, and a part of a file with one of its keys in it."""

    name: str
    called: str
    shape: type[BaseModel]
    around: Callable[[Data], Data]
    beside: Mapping[str, Data] = MappingProxyType({})
    """By key: what it needs beside it; None takes away what usually stands there."""


def _rule(more: Data) -> Data:
    return {
        "rules": [
            {"name": "KYC approved", "when": {"trigger": "case_approved"}, "notify": "compliance"}
            | more
        ]
    }


def _waiting(more: Data) -> Data:
    return _rule({"name": "stuck in review", "when": STATE, **more, "unless": LEFT})


def _channel(more: Data) -> Data:
    return {"channels": {"compliance": more}}


def _service(name: str, usual: Data) -> Callable[[Data], Data]:
    return lambda more: _channel({name: {**usual, **more}})


def _calendar(more: Data) -> Data:
    return {"calendars": {"office": {"timezone": "Europe/Zurich", **more}}}


EXPECTED = {"rule": "case approved", "channel": "compliance"}


def _test(more: Data) -> Data:
    usual = {"name": "an approval", "event": {"trigger": "case_approved"}, "expect": []}
    return {"tests": [{**usual, **more}]}


def _expected(more: Data) -> Data:
    return _test({"expect": [{**EXPECTED, **more}]})


def _steps(more: Data) -> Data:
    step = {"at": "0h", "event": {"trigger": "case_approved"}, **more}
    return _test({"event": None, "steps": [step], "until": "1d"})


_WATCH_NOTIFY = {"notify": "operations"}
_WATCH_FOR = {"channel_failing": "any", "for": "15m", **_WATCH_NOTIFY}
_SERVICE = {"webhook": None}
_STEPS = {"event": None, "until": "1d"}

GROUPS = (
    Group("file", "the rules file", of_file.RulebookShape, lambda more: more),
    Group(
        "source", "a source", of_channels.SourceShape,
        lambda more: {"sources": {"atfinity": {"secret": "${ATFINITY_SECRET}", **more}}},
    ),
    Group(
        "channel", "a channel", of_channels.ChannelShape,
        lambda more: _channel({"webhook": {"url": URL}, **more}),
        {
            **dict.fromkeys(("slack", "email", "teams", "url"), _SERVICE),
            "burst": {"rate": "1/s"},
            "overflow": {"rate": "1/s"},
        },
    ),
    Group(
        "slack", "`slack`", of_channels.SlackShape,
        _service("slack", {"token": "${SLACK_BOT_TOKEN}", "to": "#kyc"}),
        {"webhook": {"token": None, "to": None}},
    ),
    Group(
        "email", "`email`", of_channels.EmailShape, _service("email", MAIL),
        {"user": {"password": "${SMTP_PASSWORD}"}, "password": {"user": "router"}},
    ),
    Group("teams", "`teams`", of_channels.TeamsShape, _service("teams", {})),
    Group("webhook", "`webhook`", of_channels.WebhookShape, _service("webhook", {"url": URL})),
    Group(
        "retry", "`retry`", of_channels.RetryShape,
        lambda more: _channel({"webhook": {"url": URL}, "retry": more}),
    ),
    Group("calendar", "a calendar", of_time.CalendarShape, _calendar),
    Group(
        "holidays", "`holidays`", of_time.HolidayFileShape,
        lambda more: _calendar({"holidays": ["2026-12-25", more]}),
    ),
    Group(
        "rule", "a rule", of_file.RuleShape, _rule,
        {
            "otherwise": {"name": "everything else", "when": None},
            "calendar": {"after": "2d"},
            "unless": {"name": "stuck in review", "when": STATE, "after": "2d"},
            "remind": {"name": "stuck in review", "when": STATE, "unless": LEFT},
            "escalate": {"name": "stuck in review", "when": STATE, "unless": LEFT},
        },
    ),
    Group(
        "notify", "an item of `notify`", of_time.TargetShape,
        lambda more: _rule({"notify": ["compliance", {"channel": "kyc-team", **more}]}),
    ),
    Group(
        "hours", "`hours`", of_time.HoursShape,
        lambda more: _rule({"hours": {"calendar": "office", **more}}),
    ),
    Group(
        "throttle", "`throttle`", of_time.ThrottleShape,
        lambda more: _rule({"when": CHANGED, "throttle": {"once_per": "1h", **more}}),
    ),
    Group(
        "digest", "`digest`", of_time.DigestShape,
        lambda more: _rule({"digest": {"every": "1h", **more}}),
        {"at": {"every": None}, "calendar": {"every": None, "at": "09:00"}},
    ),
    Group(
        "remind", "`remind`", of_time.RemindShape,
        lambda more: _waiting({"remind": {"every": "1d", **more}}),
    ),
    Group(
        "escalate", "an item of `escalate`", of_time.EscalationShape,
        lambda more: _waiting({"escalate": [{"after": "4h", "notify": "head-of-kyc", **more}]}),
    ),
    Group("defaults", "`defaults`", of_file.DefaultsShape, lambda more: {"defaults": more}),
    Group(
        "watch", "a watch", of_time.WatchShape,
        lambda more: {"watch": [{**_WATCH_FOR, **more}]},
        {
            "silent_source": {"channel_failing": None, "for": "4h"},
            "unmatched": {"channel_failing": None, "for": None},
            "template_error": {"channel_failing": None, "for": None},
            "calendar": {"channel_failing": None, "silent_source": "atfinity", "for": "4h"},
            "digest": {"channel_failing": None, "for": None, "unmatched": "always"},
        },
    ),
    Group("test", "a test", of_tests.TestShape, _test,
        {"steps": _STEPS, "partial": {"expect": [EXPECTED]}}),
    Group("step", "a step of a test", of_tests.StepShape, _steps),
    Group("expect", "an item of `expect`", of_tests.ExpectShape, _expected),
)  # fmt: skip

CONDITIONS: dict[str, Data] = {
    "any": {"any": [{"process_key": "kyc_process"}, {"case_color": "red"}]},
    "all": {"all": [{"process_key": "kyc_*"}, {"process_key": {"not": "kyc_light"}}]},
    "not": {"not": {"process_key": "kyc_light", "case_color": "grey"}},
    "if": {"if": "case_version > 5"},
}
TESTS: dict[str, Data] = {
    "not": {"process_key": {"not": ["kyc_light", None]}},
    "regex": {"case_name": {"regex": "^VIP\\b"}},
    "gt": {"case_version": {"gt": 5}},
    "gte": {"case_version": {"gte": 5}},
    "lt": {"case_version": {"lt": 9}},
    "lte": {"case_version": {"lte": 9}},
    "contains": {"case_name": {"contains": "AG"}},
    "every": {"trigger": "case_documents_updated", "document_keys": {"every": "form_*"}},
    "none": {"trigger": "case_documents_updated", "document_keys": {"none": "form_*"}},
}


def keys() -> list[Key]:
    """Every key, in the order of the index."""
    found = [key for group in GROUPS for key in _of_shape(group)]
    made = schema()["$defs"]
    when = next(one for one in made["When"]["anyOf"] if "properties" in one)["properties"]
    for group, examples, told in (
        ("when", CONDITIONS, when),
        ("test-of-a-field", TESTS, made["Test"]["properties"]),
    ):
        for name, example in examples.items():
            takes = _TAKES.get((group, name)) or _TAKES[name]
            shown = [_rule({"name": "an example", "when": example})]
            found.append(Key(group, name, takes, told[name]["description"], "", shown))
    return found


_TAKES: dict[Any, str] = {
    "any": "a list of conditions",
    "all": "a list of conditions",
    ("when", "not"): "a condition",
    "if": 'an expression in quotes, like "case_version > 5"',
    "not": "a test: a value, a list, or another of these",
    "regex": "a pattern in quotes (RE2)",
    **dict.fromkeys(("gt", "gte", "lt", "lte"), "a number"),
    "contains": "a text",
    "every": "a test",
    "none": "a test",
}
CALLED = {
    **{group.name: group.called for group in GROUPS},
    "when": "a condition",
    "test-of-a-field": "a test of a field",
}


def _of_shape(group: Group) -> list[Key]:
    found = []
    for python, field in group.shape.model_fields.items():
        name = field.alias or python
        extra: Any = field.json_schema_extra
        left_out = "it is needed" if field.is_required() else extra["left_out"] or ""
        examples = [_example(group, name, value) for value in field.examples or []]
        found.append(
            Key(group.name, name, extra["expects"], field.description or "", left_out, examples)
        )
    return found


def _example(group: Group, name: str, value: Any) -> Data:
    around = group.around({**group.beside.get(name, {}), name: value})
    made: Data = _without_none(copy.deepcopy(around), keep=name if value is None else "")
    return made


def _without_none(data: Any, *, keep: str) -> Any:
    if isinstance(data, list):
        return [_without_none(item, keep=keep) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        name: _without_none(value, keep=keep)
        for name, value in data.items()
        if value is not None or name == keep
    }


class _Dumper(yaml.SafeDumper):
    """Lists stand in from what holds them, as people write them; nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(data: Data) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=90)


def page(key: Key) -> str:
    """What is told of one key."""
    rows = f"| takes | {key.takes} |\n"
    if key.left_out:
        rows += f"| left out | {key.left_out} |\n"
    words = key.means[:1].upper() + key.means[1:]
    blocks = "\n".join(f"```yaml\n{as_yaml(example)}```\n" for example in key.examples)
    return (
        f"# `{key.name}` of {CALLED[key.group]}\n\n{words}.\n\n"
        f"| | |\n|---|---|\n{rows}\n{blocks}\n"
        f"[All keys](../index.md#{key.group}) · [Writing rules](../../rules.md)\n"
    )


HEAD = """\
# The keys of rules.yaml

One page per key, written from the shapes that `router check` and the JSON Schema are made of (`make manual`).
A test runs every example through the checks.
"""  # noqa: E501 - one sentence per line


def index() -> str:
    """The index: the keys by where they stand, and the fields that conditions can test."""
    parts = [HEAD]
    found = keys()
    for name, called in CALLED.items():
        parts.append(f'\n<a id="{name}"></a>\n\n## {called[:1].upper()}{called[1:]}\n')
        rows = "".join(
            f"| [`{key.name}`]({key.file}) | {key.means} |\n" for key in found if key.group == name
        )
        parts.append(f"| key | meaning |\n|---|---|\n{rows}")
    made = schema()["$defs"]["When"]["anyOf"]
    fields = next(one for one in made if "properties" in one)["properties"]
    rows = "".join(
        f"| `{name}` | {told['description']} |\n"
        for name, told in fields.items()
        if name not in CONDITIONS
    )
    parts.append(f"\n## The fields of an event\n\n| field | meaning |\n|---|---|\n{rows}")
    return "\n".join(parts)


def whole(example: Data) -> str:
    """An example as a whole file: with who posts, where messages go, and when places are open."""
    named = as_yaml(example)
    channels = {
        name: {"webhook": {"url": URL}} for name in (*CHANNELS, *example.get("channels", {}))
    }
    base: Data = {
        "version": 1,
        "sources": {"atfinity": {"secret": "${ATFINITY_SECRET}"}},
        "channels": {**channels, **example.get("channels", {})},
        "rules": [
            {"name": "case approved", "when": {"trigger": "case_approved"}, "notify": "compliance"}
        ],
        **({"groups": {"desk": ["kyc-team"]}} if "desk" in named else {}),
        "calendars": {"office": {"days": "mon-fri", "hours": "08:00-18:00"}},
    }
    return as_yaml({**base, **example, "channels": base["channels"]})


CHANNELS = ("kyc-team", "compliance", "operations", "head-of-kyc", "duty-phone")


def pages() -> dict[str, str]:
    """Every page by its file in the folder."""
    return {"index.md": index()} | {key.file: page(key) for key in keys()}


def write() -> None:
    """Write all pages anew, and take away those of keys that are no more."""
    made = pages()
    for file in FOLDER.rglob("*.md"):
        if file.relative_to(FOLDER).as_posix() not in made:
            file.unlink()
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
