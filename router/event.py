"""An event: something that happened to a case, as atfinity told it.

Decoding is lenient: unknown triggers and fields are kept, and everything but `trigger` may be
missing or null. The raw body is kept byte for byte.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

COMMON_FIELDS: Final = (
    "trigger",
    "case_id",
    "case_user_readable_id",
    "case_name",
    "case_url",
    "case_version",
    "case_color",
    "outcome_instance_id",
    "process_key",
)

TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "case_created": (),
    "case_approved": (),
    "case_declined": (),
    "case_finished": (),
    "case_comment": (),
    "case_changed": ("action",),
    "case_state_changed": ("previous_state_key", "current_state_key", "transition_key"),
    "case_documents_updated": ("document_keys", "action"),
    "case_proofs_updated": (),
}
"""The triggers this version of atfinity sends, and the fields each adds to the common ones."""

KNOWN_FIELDS: Final = frozenset(COMMON_FIELDS).union(*TRIGGERS.values())

NUMBER_FIELDS: Final = frozenset({"case_id", "case_version", "outcome_instance_id"})
"""The known fields that hold whole numbers; the others hold texts."""

NULLABLE_FIELDS: Final = frozenset(
    {
        "case_color",
        "outcome_instance_id",
        "process_key",
        "previous_state_key",
        "current_state_key",
        "transition_key",
        "action",
    }
)

OWN: Final = "router"
"""The source of what the router tells about itself; no rule is asked about it."""

HIDDEN: Final = "\u2022\u2022\u2022"
"""What stands for a field that a channel hides."""

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_decode = msgspec.json.Decoder().decode


def masked(fields: dict[str, Any], hide: frozenset[str]) -> dict[str, Any]:
    """The fields as a channel may see them: those that it hides are masked."""
    if hide.isdisjoint(fields):
        return fields
    return {name: HIDDEN if name in hide else value for name, value in fields.items()}


class Undecodable(ValueError):
    """The body is not an event; the text says why, in words for the sender."""


class Event(msgspec.Struct, frozen=True):
    """One accepted event. `received_at` is in epoch seconds; `id` is 0 until it is written down."""

    id: int
    source: str
    received_at: float
    body: bytes
    fields: dict[str, Any]

    @property
    def trigger(self) -> str:
        return str(self.fields["trigger"])

    @property
    def case_ref(self) -> str | None:
        """The id people use for the case, or else the internal one."""
        for name in ("case_user_readable_id", "case_id"):
            if (value := self.fields.get(name)) not in (None, ""):
                return _plain(value)
        return None

    @property
    def case_id(self) -> str | None:
        """atfinity's own id of the case."""
        value = self.fields.get("case_id")
        return None if value in (None, "") else _plain(value)

    @property
    def case_key(self) -> str | None:
        """What keeps one case's messages in order and in one thread, or None without a case."""
        for name in ("case_id", "case_user_readable_id"):
            if (value := self.fields.get(name)) not in (None, ""):
                return f"{self.source}:{_plain(value)}"
        return None


def decode(body: bytes) -> dict[str, Any]:
    """Return the fields of a posted body.

    Raises Undecodable for anything but one JSON object with a `trigger` that is a non-empty string.
    """
    try:
        fields = _decode(body.removeprefix(_BOM))
    except RecursionError:
        raise Undecodable("the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise Undecodable("the body is not UTF-8") from None
    except (msgspec.MsgspecError, ValueError) as error:
        if body.startswith(_GZIP):
            raise Undecodable("the body is compressed; send it as plain JSON") from None
        reason = "it is empty" if not body.strip() else str(error).split(":")[0].strip()
        raise Undecodable(f"the body is not JSON: {reason[:200]}") from None
    if not isinstance(fields, dict):
        raise Undecodable("the body is JSON, but not an object")
    trigger = fields.get("trigger")
    if not isinstance(trigger, str) or not trigger:
        raise Undecodable("the body has no `trigger`, or one that is not a string")
    return fields


def is_object(body: bytes) -> bool:
    """Whether a body, be it an event or none, is a JSON object."""
    try:
        return isinstance(_decode(body.removeprefix(_BOM)), dict)
    except (RecursionError, msgspec.MsgspecError, ValueError):
        return False


def _plain(value: Any) -> str:
    return str(value).replace("\0", "")[:200]
