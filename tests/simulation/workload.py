"""The rules of the simulation, what each event should cause, and what each channel promises."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from chaos.history import Course, Pair

SECRET = "a-secret-of-the-simulation-0123456789"
CASES = 8
RATE = 2.0
BURST = 2
CONCURRENCY = 4
"""Threads that send for one channel, unless its rules say otherwise."""

_OFTEN = "retry: { for: 30m, first: 1s, at_most: 4s }"
RULES = f"""
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  plain: {{ webhook: {{ url: "http://far.example/plain" }}, {_OFTEN} }}
  rated: {{ webhook: {{ url: "http://far.example/rated" }}, rate: 2/s, burst: 2, {_OFTEN} }}
  shaky: {{ webhook: {{ url: "http://far.example/shaky" }}, {_OFTEN} }}
  broken:
    webhook: {{ url: "http://far.example/broken" }}
    retry: {{ for: 20s, first: 1s, at_most: 4s }}
    fallback: backup
  backup: {{ webhook: {{ url: "http://far.example/backup" }}, {_OFTEN} }}
  timed: {{ webhook: {{ url: "http://far.example/timed" }}, {_OFTEN} }}
  gathered: {{ webhook: {{ url: "http://far.example/gathered" }}, {_OFTEN} }}
rules:
  - {{ name: everything, when: always, notify: plain }}
  - {{ name: changes, when: {{ trigger: case_changed }}, notify: shaky }}
  - {{ name: approvals, when: {{ trigger: case_approved }}, notify: rated }}
  - {{ name: proofs, when: {{ trigger: case_proofs_updated }}, notify: broken }}
  - name: reviews
    when: {{ trigger: case_state_changed, current_state_key: in_review }}
    after: 3s
    unless: {{ trigger: case_state_changed, previous_state_key: in_review }}
    remind: {{ every: 6s, at_most: 2 }}
    notify: timed
  - name: documents
    when: {{ trigger: case_documents_updated }}
    digest: {{ every: 4s }}
    notify: gathered
  - name: comments
    when: {{ trigger: case_comment }}
    throttle: {{ once_per: 10s, by: case_id }}
    notify: timed
"""
COURSES = {
    "plain": Course(),
    "rated": Course(per_second=RATE, burst=BURST),
    "shaky": Course(well=False),
    "broken": Course(well=False),
    "backup": Course(),
    "timed": Course(ordered=False),
    "gathered": Course(ordered=False),
}


class Kind(msgspec.Struct, frozen=True):
    """One kind of event: the fields it adds, the pairs it causes, how often it comes."""

    fields: dict[str, Any]
    pairs: tuple[Pair, ...]
    weight: int


_REVIEWED = {
    "trigger": "case_state_changed",
    "previous_state_key": "in_review",
    "current_state_key": "approved",
}
_DOCUMENTS = {
    "trigger": "case_documents_updated",
    "document_keys": ["form_a"],
    "action": "generated",
}
KINDS = (
    Kind({"trigger": "case_comment"}, (("comments", "timed"),), 2),
    Kind({"trigger": "case_changed", "action": "updated"}, (("changes", "shaky"),), 3),
    Kind({"trigger": "case_approved"}, (("approvals", "rated"),), 4),
    Kind({"trigger": "case_proofs_updated"}, (("proofs", "broken"), ("proofs", "backup")), 2),
    Kind(
        {"trigger": "case_state_changed", "current_state_key": "in_review"},
        (("reviews", "timed"),),
        2,
    ),
    Kind(_REVIEWED, (), 1),
    Kind(_DOCUMENTS, (("documents", "gathered"),), 2),
)


def draw_event(chance: random.Random, number: int) -> tuple[dict[str, Any], tuple[Pair, ...]]:
    """A random event that carries its number, and the pairs that it causes."""
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
    return body, (("everything", "plain"), *kind.pairs)
