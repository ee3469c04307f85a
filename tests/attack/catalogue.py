"""All attacks, with the answers that are right. To add one, write a function and name it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from attack import bodies, connections, floods, heads, people, smuggling

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from attack.target import Target

CLOSED = "closed"
"""The connection was closed, and whatever was said before was lost or nothing was said."""
OPEN = "open"
"""Still open when the attack was over."""
FEW = 1024
MANY = 16_384


class Attack(NamedTuple):
    """One attack; `descriptors` is how many files its router may have open."""

    function: Callable[[Target, float], Counter[str]]
    answers: frozenset[str]
    descriptors: int = FEW

    @property
    def name(self) -> str:
        return self.function.__name__.replace("_", " ")

    @property
    def about(self) -> str:
        return (self.function.__doc__ or "").strip().splitlines()[0]


def _attack(
    function: Callable[[Target, float], Counter[str]], *answers: str, descriptors: int = FEW
) -> Attack:
    return Attack(function, frozenset(answers), descriptors)


ATTACKS = (
    _attack(heads.header_flood, "431", CLOSED),
    _attack(heads.endless_value, "431", CLOSED),
    _attack(heads.endless_name, "431", CLOSED),
    _attack(heads.many_fields, "431"),
    _attack(heads.long_request_line, "414", "431", CLOSED),
    _attack(heads.empty_lines, "431", CLOSED),
    _attack(heads.slow_heads, "408", CLOSED, OPEN),
    _attack(heads.half_heads, "408", "503", CLOSED, OPEN),
    _attack(heads.half_heads, "408", "503", CLOSED, OPEN, descriptors=MANY),
    _attack(heads.garbage, "400"),
    _attack(heads.tls_hello, "400"),
    _attack(heads.http2_preface, "400", "505"),
    _attack(connections.idle, CLOSED, OPEN),
    _attack(connections.idle, CLOSED, OPEN, descriptors=MANY),
    _attack(connections.answered_and_idle, CLOSED, OPEN),
    _attack(connections.connect_and_leave, "left"),
    _attack(connections.ask_and_leave, "left"),
    _attack(connections.slow_readers, CLOSED, OPEN),
    _attack(connections.unread_pipelines, "left"),
    _attack(connections.pipelining, "bounded"),
    _attack(bodies.oversize, "413"),
    _attack(bodies.oversize_by_a_stranger, "404"),
    _attack(bodies.oversize_in_chunks, "413"),
    _attack(bodies.slow_bodies, "408", "503", CLOSED, OPEN),
    _attack(bodies.unproven_bodies, "408", "503", CLOSED, OPEN),
    _attack(bodies.many_small_bodies, "408", "503", CLOSED, OPEN, descriptors=MANY),
    _attack(bodies.left_halfway, "left"),
    _attack(bodies.never_continued, "100", "408", "503", CLOSED, OPEN),
    _attack(bodies.small_chunks, "404"),
    _attack(bodies.chunks_of_one_byte, "400"),
    _attack(bodies.chunk_extensions, "400"),
    _attack(bodies.endless_trailers, "400"),
    _attack(bodies.endless_trailer, "400"),
    _attack(smuggling.upgrades, "kept apart"),
    _attack(smuggling.siblings, "kept apart"),
    _attack(people.wrong_bearers, "401", "429", "503"),
    _attack(people.wrong_passwords, "401", "403", "429", "503"),
    _attack(people.wrong_basic, "401", "429", "503"),
    _attack(people.forms_without_a_login, "400", "401", "413"),
    _attack(people.forms_of_a_megabyte, "400", "401", "413"),
    _attack(people.different_forms, "400", "401", "503"),
    _attack(people.forms_of_quotes, "400", "401", "503"),
    _attack(people.forms_in_parts, "400", "401"),
    _attack(people.different_bearers, "401", "429", "503"),
    _attack(people.wrong_hooks, "404"),
    _attack(floods.readiness, "200"),
    _attack(floods.pages, "401"),
    _attack(floods.metrics, "401"),
    _attack(floods.files, "200"),
    _attack(floods.different_addresses, "400", "401", "404"),
    _attack(floods.different_heads, "400", "401", "403"),
    _attack(floods.cookies, "401"),
)
