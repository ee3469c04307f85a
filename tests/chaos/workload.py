"""The work of a run: rules over several kinds of channel, and what each event should cause."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from chaos.history import Course, Pair

SECRET = "a-secret-of-the-chaos-0123456789"
CASES = 60
RATE = 8.0

_CHANNEL = "retry: {{ for: 10m, first: 1s, at_most: 2s }}"
_RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  fast: {{ webhook: {{ url: "{far}/fast" }}, {retry} }}
  slow: {{ webhook: {{ url: "{far}/slow" }}, {retry} }}
  shaky: {{ webhook: {{ url: "{far}/shaky" }}, {retry} }}
  rated: {{ webhook: {{ url: "{far}/rated" }}, rate: 8/s, burst: 2, {retry} }}
  stuck: {{ webhook: {{ url: "{far}/stuck" }}, {retry} }}
  timed: {{ webhook: {{ url: "{far}/timed" }}, {retry} }}
  gathered: {{ webhook: {{ url: "{far}/gathered" }}, {retry} }}
{channels}
rules:
  - {{ name: everything, when: always, notify: fast, title: "{{{{ case_version }}}}" }}
  - {{ name: comments, when: {{ trigger: case_comment }}, notify: slow }}
  - {{ name: changes, when: {{ trigger: case_changed }}, notify: shaky }}
  - {{ name: approvals, when: {{ trigger: case_approved }}, notify: rated }}
  - {{ name: proofs, when: {{ trigger: case_proofs_updated }}, notify: stuck }}
  - name: reviews
    when: {{ trigger: case_state_changed, current_state_key: in_review }}
    after: 3s
    unless: {{ trigger: case_state_changed, previous_state_key: in_review }}
    notify: timed
  - name: documents
    when: {{ trigger: case_documents_updated }}
    digest: {{ every: 3s }}
    notify: gathered
{rules}
"""
COURSES = {
    "fast": Course(),
    "slow": Course(),
    "shaky": Course(well=False),
    "rated": Course(per_second=RATE, burst=2),
    "stuck": Course(well=False),
    "timed": Course(ordered=False),
    "gathered": Course(ordered=False),
}


class Kind(msgspec.Struct, frozen=True):
    """One kind of event: the fields it adds, the pairs it causes, how often it comes."""

    fields: dict[str, Any]
    pairs: tuple[Pair, ...]
    weight: int


ALWAYS: Pair = ("everything", "fast")
KINDS = (
    Kind({"trigger": "case_comment"}, (ALWAYS, ("comments", "slow")), 4),
    Kind({"trigger": "case_changed", "action": "updated"}, (ALWAYS, ("changes", "shaky")), 3),
    Kind({"trigger": "case_approved"}, (ALWAYS, ("approvals", "rated")), 1),
    Kind({"trigger": "case_proofs_updated"}, (ALWAYS, ("proofs", "stuck")), 1),
    Kind(
        {"trigger": "case_state_changed", "current_state_key": "in_review"},
        (ALWAYS, ("reviews", "timed")),
        2,
    ),
    Kind(
        {
            "trigger": "case_state_changed",
            "previous_state_key": "in_review",
            "current_state_key": "approved",
        },
        (ALWAYS,),
        1,
    ),
    Kind(
        {"trigger": "case_documents_updated", "document_keys": ["form_a"], "action": "generated"},
        (ALWAYS, ("documents", "gathered")),
        1,
    ),
)


def rules_text(far_end: str, extra: int = 0) -> str:
    """The rules file; `extra` more channels, each told about every event of some cases."""
    names = [f"extra{number}" for number in range(extra)]
    channels = [
        f'  {name}: {{ webhook: {{ url: "{far_end}/{name}" }}, {_CHANNEL.format()} }}'
        for name in names
    ]
    rules = [
        f"  - {{ name: {name}, when: {{ case_id: {number} }}, notify: {name} }}"
        for number, name in enumerate(names)
    ]
    return _RULES.format(
        far=far_end,
        retry=_CHANNEL.format(),
        channels="\n".join(channels),
        rules="\n".join(rules),
    )


def courses(extra: int = 0) -> dict[str, Course]:
    """What each channel promises."""
    return COURSES | {f"extra{number}": Course() for number in range(extra)}


def draw_event(chance: random.Random, number: int, extra: int = 0) -> tuple[dict[str, Any], Kind]:
    """A random event that carries its number, and its kind with all the pairs it causes."""
    kind = chance.choices(KINDS, [kind.weight for kind in KINDS])[0]
    case = chance.randrange(CASES)
    body = {
        "case_id": case,
        "case_user_readable_id": f"KYC-{case:04}",
        "case_name": f"Number {number}",
        "case_url": f"https://atfinity.example/cases/{case}",
        "case_version": number,
        "process_key": "kyc_process",
        **kind.fields,
    }
    if case < extra:
        pairs = (*kind.pairs, (f"extra{case}", f"extra{case}"))
        kind = msgspec.structs.replace(kind, pairs=pairs)
    return body, kind
