"""Classification: from what happened on the wire to an outcome, with one sentence that says why."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import (
    BadStatusLine,
    IncompleteRead,
    LineTooLong,
    RemoteDisconnected,
    UnknownProtocol,
)
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec
import urllib3.exceptions as u

from router.duration import show_duration

if TYPE_CHECKING:
    from router.delivery.wire import Exchange, Recorder

Kind = Literal["delivered", "retry", "ambiguous", "failed"]

AGAIN = frozenset({408, 425, 429})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


class Told(msgspec.Struct, frozen=True):
    """What the service itself said about the send, beyond the wire.

    `word` is its own name for a refusal; `again` says whether that refusal may pass.
    """

    delivered: bool
    word: str | None = None
    again: bool = False
    thread: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """The kind of outcome, and why."""

    kind: Kind
    detail: str
    status: int | None = None
    retry_after: float | None = None


def judge(recorder: Recorder, told: Told, now: float) -> Judged:
    """Say how a send ended, from its last exchange; `now` (epoch seconds) is for dates."""
    if not recorder.exchanges:
        return Judged("failed", told.word or "the service made no request of it")
    exchange = recorder.exchanges[-1]
    if exchange.error is not None:
        return _broken(exchange, expired=recorder.expired)
    if exchange.kind == "smtp":
        return _mail(exchange)
    return _answered(exchange, told, now)


def unreached(exchange: Exchange) -> str:
    """What kept a connection from being made, in words; the exchange has its error."""
    return _broken(exchange, expired=False).detail


def _answered(exchange: Exchange, told: Told, now: float) -> Judged:
    status = exchange.status or 0
    wait = retry_after(exchange.retry_after, now)
    if 200 <= status < 300:
        if told.delivered:
            return Judged("delivered", "delivered", status)
        if told.word is not None and told.again:
            return Judged("retry", f"the far end answered `{told.word}`", status, wait)
        word = told.word or _excerpt(exchange.answer) or "nothing it could mean"
        return Judged("failed", f"the far end answered `{word}`", status)
    said = _status(status)
    if excerpt := _excerpt(exchange.answer):
        said += f": {excerpt}"
    if status in AGAIN or status >= 500:
        asks = f"; it asks to wait {show_duration(wait)}" if wait is not None else ""
        return Judged("retry", f"the far end answered {said}{asks}", status, wait)
    if 300 <= status < 400:
        return Judged(
            "failed",
            f"the far end answered {_status(status)}, a redirect; redirects are not followed,"
            " correct the channel's address",
            status,
        )
    return Judged("failed", f"the far end answered {said}", status)


def _mail(exchange: Exchange) -> Judged:
    status = exchange.status or 250
    note = _excerpt(exchange.answer) if exchange.answer.startswith(b"a copy") else ""
    return Judged("delivered", f"delivered; {note}" if note else "delivered", status)


def _broken(exchange: Exchange, *, expired: bool) -> Judged:
    error = exchange.error
    where = _where(exchange)
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused_mail(error, exchange)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Judged("failed", f"{where} does not offer what the channel needs: {_words(error)}")
    if _caused_by(error, ssl.SSLError) and not exchange.sent:
        return Judged("retry", f"no trusted connection to {where}: {_words(_deepest(error))}")
    if isinstance(error, u.LocationParseError | u.LocationValueError | UnicodeError):
        return Judged("failed", "the channel's address cannot be used")
    if not exchange.sent:
        return Judged("retry", _unreached(error, where, expired=expired))
    if expired or _caused_by(error, (u.TimeoutError, TimeoutError)):
        return Judged("ambiguous", f"{where} did not answer in time; it may have arrived")
    if exchange.kind == "http" and (exchange.status or _caused_by(error, IncompleteRead)):
        lost = f"the answer of {where} could not be read to its end"
        return Judged("ambiguous", f"{lost}; it may have arrived")
    if _is_no_http(error):
        strange = f"{where} answered with something that is not HTTP"
        return Judged("ambiguous", f"{strange}; it may have arrived")
    return Judged("ambiguous", f"{where} closed the connection unanswered; it may have arrived")


def _is_no_http(error: BaseException | None) -> bool:
    # http.client takes the end of a connection for an empty line of status.
    silent = _caused_by(error, RemoteDisconnected)
    return not silent and _caused_by(error, (BadStatusLine, LineTooLong, UnknownProtocol))


def _refused_mail(error: smtplib.SMTPResponseException, exchange: Exchange) -> Judged:
    code = error.smtp_code
    said = f"the mail server answered {code}"
    if excerpt := _excerpt(exchange.answer):
        said += f": {excerpt}"
    if 400 <= code < 500:
        return Judged("retry", said, code)
    if code < 0:
        kind: Kind = "ambiguous" if exchange.sent else "retry"
        return Judged(kind, "the mail server answered with something that is not SMTP")
    return Judged("failed", said, code)


def _unreached(error: BaseException | None, where: str, *, expired: bool) -> str:
    if _caused_by(error, (u.NameResolutionError, socket.gaierror)):
        return f"there is no address for {where} (DNS)"
    if _caused_by(error, ConnectionRefusedError):
        return f"{where} refuses connections"
    if expired or _caused_by(error, (u.ConnectTimeoutError, TimeoutError)):
        return f"{where} did not answer in time"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return f"{where} closed the connection"
    return f"no connection to {where}"


def retry_after(text: str | None, now: float) -> float | None:
    """The seconds that a Retry-After asks for (a number or a date), from 0 without end."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # no date, or one of a year that no clock shows
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.fromtimestamp(now, UTC)).total_seconds()
    if seconds != seconds:  # not a number  # noqa: PLR0124
        return None
    return max(seconds, 0.0)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _excerpt(answer: bytes) -> str:
    text = answer[:600].decode("utf-8", "replace")
    if "<" in text:  # a page of a proxy, of no use in a sentence
        text = re.sub(r"<(style|script)[^>]*>.*?</\1>|<[^>]*>", " ", text, flags=re.S | re.I)
    return " ".join(_CONTROL.sub(" ", text).split())[:200]


def _where(exchange: Exchange) -> str:
    request = exchange.request
    if exchange.kind == "smtp":
        return f"{request['host']}:{request['port']}"
    return urlsplit(request["url"]).hostname or "the far end"


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        inner = getattr(error, "reason", None)
        inner = inner if isinstance(inner, BaseException) else None
        first = error.args[-1] if error.args and isinstance(error.args[-1], BaseException) else None
        error = inner or first or error.__cause__ or error.__context__
    return found


def _caused_by(
    error: BaseException | None, kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> bool:
    return any(isinstance(one, kinds) for one in _chain(error))


def _deepest(error: BaseException | None) -> BaseException | None:
    return next((one for one in _chain(error) if isinstance(one, ssl.SSLError)), error)


def _words(error: BaseException | None) -> str:
    verified = getattr(error, "verify_message", None)
    return _excerpt(str(verified or getattr(error, "reason", None) or error).encode())
