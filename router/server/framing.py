"""What is asked of a head before anything is done for it: that all who read it read it alike."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.server.connections import Limits, Reason

    Headers = Iterable[tuple[bytes, bytes]]


class Refused(Exception):
    """A request that is not answered by the application; the text is for who sent it."""

    def __init__(self, status: int, text: str, reason: Reason) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason: Reason = reason


def too_large(limits: Limits) -> Refused:
    text = f"the head is larger than {limits.head} bytes, or has over {limits.fields} fields"
    return Refused(431, text, "large_head")


def check_size(
    url: bytes, headers: Sequence[tuple[bytes, bytes]], received: int, limits: Limits
) -> None:
    """Raise Refused for a head that is too large, of which `received` bytes came at most."""
    if len(url) > limits.request_line:
        raise Refused(414, "the address is too long", "large_head")
    fields = len(headers)
    if fields > limits.fields:
        raise too_large(limits)
    if received > limits.head and sum(map(len, chain(*headers))) + 4 * fields > limits.head:
        raise too_large(limits)


def check_framing(version: str, headers: Headers) -> None:
    """Raise Refused for what two servers may read differently. Names are in lower case."""
    if version not in ("1.1", "1.0"):
        raise Refused(505, "this server speaks HTTP/1.1", "malformed")
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and (
            version == "1.0" or value.strip().lower() != b"chunked"
        ):
            raise Refused(501, "a body comes with its length, or chunked", "malformed")
    if hosts > 1:
        raise Refused(400, "there is more than one Host", "malformed")


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """A head without its wish for an upgrade."""
    lines = [method + b" " + url + b" HTTP/" + version.encode()]
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            value = b", ".join(t for t in tokens if t.lower() == b"close")  # noqa: PLW2901
        if name != b"upgrade" and (value or name != b"connection"):
            lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"
