"""Who is asking: the proofs a request can carry, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING, Literal

from router.secret import same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.rules import Source

TOLERANCE = 300.0
"""Seconds a Standard Webhooks timestamp may be off."""

Proof = Literal["right", "wrong"]


def prove_source(
    source: Source | None, given: str | None, headers: Mapping[str, str], address: str | None
) -> Proof:
    """Answer whether a post carries one of the source's secrets and comes from where it may.

    `given` is the secret in the path. An unknown source takes as long as a wrong secret.
    """
    candidates = [text for text in (given, *_carried(headers)) if text is not None]
    secrets = source.secrets if source is not None else ()
    right = False
    for text in candidates or [""]:
        for secret in secrets or (None,):
            wanted = secret.reveal() if secret is not None else "no such source"
            found = same(text, wanted) and secret is not None and bool(secret)
            right = right or found
    return "right" if right and source is not None and _may_post(source, address) else "wrong"


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether the post claims a Standard Webhooks signature, which needs the body to be checked."""
    return "webhook-signature" in headers


def prove_signature(
    source: Source | None,
    headers: Mapping[str, str],
    body: bytes,
    address: str | None,
    now: float,
) -> Proof:
    """Answer whether the body is signed with one of the source's secrets (Standard Webhooks)."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = [
        part.removeprefix("v1,")
        for part in headers.get("webhook-signature", "").split()
        if part.startswith("v1,")
    ]
    signed = f"{message_id}.{timestamp}.".encode() + body
    right = False
    for secret in source.secrets if source is not None else ():
        for key in _keys(secret.reveal()):
            wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            for signature in signatures:
                right = same(signature, wanted) or right
    fresh = timestamp.isascii() and timestamp.isdigit() and abs(float(timestamp) - now) <= TOLERANCE
    allowed = source is not None and _may_post(source, address)
    return "right" if right and fresh and message_id and allowed else "wrong"


def read_basic(text: str) -> tuple[str, str] | None:
    """The user and the password of HTTP Basic; None if it is none."""
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except ValueError:  # no base64, no UTF-8, or not even ASCII
        return None
    user, _, password = decoded.partition(":")
    return user, password


def _carried(headers: Mapping[str, str]) -> list[str]:
    found = []
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(rest.strip())
    elif scheme.lower() == "basic" and (basic := read_basic(rest)) is not None:
        found.append(basic[1])
    if "x-router-secret" in headers:
        found.append(headers["x-router-secret"])
    return found


def _keys(secret: str) -> list[bytes]:
    """The key that a secret stands for: base64 after `whsec_`, or else the text itself."""
    if secret.startswith("whsec_"):
        try:
            return [base64.b64decode(secret.removeprefix("whsec_"), validate=True)]
        except binascii.Error:
            return []
    return [secret.encode()] if secret else []


def _may_post(source: Source, address: str | None) -> bool:
    if not source.allow:
        return True
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ipaddress.ip_network(network) for network in source.allow)
