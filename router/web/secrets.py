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
    from router.settings import Settings

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


def prove_operator(settings: Settings, authorization: str | None) -> Proof:
    """Answer whether a request to the pages or the API may be let in.

    The password goes with HTTP Basic (any user name), the token with Bearer or as the password.
    """
    if settings.open_to_all:
        return "right"
    scheme, _, rest = (authorization or "").partition(" ")
    given, accepted = "", []
    if scheme.lower() == "bearer":
        given, accepted = rest.strip(), [settings.api_token]
    elif scheme.lower() == "basic":
        given, accepted = _basic(rest) or "", [settings.admin_password, settings.api_token]
    right = False
    for secret in accepted:
        if secret is not None:
            right = same(given, secret.reveal()) or right
    return "right" if right else "wrong"


def _carried(headers: Mapping[str, str]) -> list[str]:
    found = []
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(rest.strip())
    elif scheme.lower() == "basic" and (password := _basic(rest)) is not None:
        found.append(password)
    if "x-router-secret" in headers:
        found.append(headers["x-router-secret"])
    return found


def _basic(text: str) -> str | None:
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded.partition(":")[2]


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
