"""Probes: whether the far end of each channel can be reached, without sending anything.

Where a channel sends is seen by letting it send into a wire that captures; then a connection is
made there, TLS and a mail server's greeting included, and closed again. No secret leaves.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
from apprise.plugins.email.smtp import SMTPSecureMode

from router.delivery.classify import unreached
from router.delivery.senders import ChannelError
from router.delivery.wire import Exchange, Wire
from router.duration import show_duration
from router.event import Event
from router.message import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.delivery.senders import Sender
    from router.rules import Channel
    from router.secret import Redactor

PROBE = 5.0
"""Seconds that all probes together may take."""
ENDS_SOON = 14 * 86400.0
"""Seconds before the end of a certificate from which it is a warning."""

State = Literal["ok", "warning", "fault"]


class Probe(msgspec.Struct, frozen=True):
    """How a channel's far end was found: in words, and what to do if it is not well."""

    channel: str
    state: State
    text: str
    advice: str | None = None


class _Place(msgspec.Struct, frozen=True):
    """Where a channel connects, and what it needs there."""

    host: str
    port: int
    mail: bool
    security: str
    verify: bool
    login: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_Found = tuple[State, str, str | None]
_AWAY = "see that it runs, and that host and port in the rules are right"
_OTHER = "its certificate is for another name: write the host as the certificate names it"
_CODES = {
    10: "its certificate is over: whoever runs it must renew it",
    62: _OTHER,
    64: _OTHER,
}
"""OpenSSL's numbers for what is wrong with a certificate."""
_SLOW = "something on the way (a firewall, a proxy) may drop it: let this machine reach it"


def probe_all(
    channels: Mapping[str, Channel],
    make: Callable[[Channel], Sender],
    *,
    ca_bundle: str | None,
    redactor: Redactor,
    seconds: float = PROBE,
) -> list[Probe]:
    """Probe every channel, side by side, in `seconds` at most; the order is that of the channels.

    `make` gives a channel's sender or raises ChannelError. Raises ChannelError if the authorities
    for TLS cannot be read.
    """
    try:
        wire = Wire(capture=True, ca_bundle=ca_bundle)
    except OSError as error:
        raise ChannelError(f"ROUTER_CA_BUNDLE cannot be read: {error.strerror}") from None
    given = {name: _place_of(channel, make, wire) for name, channel in channels.items()}
    places = {place for place in given.values() if isinstance(place, _Place)}
    found = _look_at(places, wire, seconds)
    probes = []
    for name, place in given.items():
        state, text, advice = found[place] if isinstance(place, _Place) else place
        clean = None if advice is None else redactor.scrub(advice)
        probes.append(Probe(name, state, redactor.scrub(text), clean))
    return probes


def _look_at(places: set[_Place], wire: Wire, seconds: float) -> dict[_Place, _Found]:
    # Threads of their own: a name server that hangs cannot be told to stop, only left behind.
    late: _Found = ("fault", "did not answer in time", _SLOW)
    found = {place: (late[0], f"{place} {late[1]}", late[2]) for place in places}
    deadline = time.monotonic() + seconds
    threads = []
    for place in places:

        def work(place: _Place = place) -> None:
            answer = _visit(place, wire, seconds)
            if time.monotonic() < deadline:
                found[place] = answer

        threads.append(threading.Thread(target=work, name=f"probe {place}", daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def _place_of(channel: Channel, make: Callable[[Channel], Sender], wire: Wire) -> _Place | _Found:
    try:
        sender = make(channel)
    except ChannelError as error:
        text = str(error).removeprefix(f"channel `{channel.name}`: ")
        return "fault", text, "set it in the environment, or correct it in the rules"
    with wire.recording(PROBE) as recorder:
        # A plugin that stumbles over an answer that is none has asked already.
        with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
            sender.send(_DELIVERY, _message(sender), recorder)
        exchanges = list(recorder.exchanges)
    if not exchanges:
        advice = f"try it with `router send-test {channel.name}`"
        return "warning", "it does not show where it sends before it does", advice
    return _where(exchanges[0])


def _where(exchange: Exchange) -> _Place:
    given = exchange.request
    if exchange.kind == "smtp":
        needs = (given["security"], given["verify"], given["login"])
        return _Place(str(given["host"]), int(given["port"]), True, *needs)
    parsed = urlsplit(given["url"])
    secure = parsed.scheme == "https"
    port = parsed.port or (443 if secure else 80)
    security = "ssl" if secure else "none"
    return _Place(parsed.hostname or "", port, False, security, given["verify"], False)


def _visit(place: _Place, wire: Wire, seconds: float) -> _Found:
    began = time.monotonic()
    exchange = Exchange(
        "smtp" if place.mail else "http",
        host=place.host,
        port=place.port,
        url=f"https://{place.host}/" if ":" not in place.host else "",
    )
    context = wire.tls if place.verify else wire.unverified
    try:
        if place.mail:
            certificate, offers = _greet(place, context, seconds)
        else:
            certificate, offers = _connect(place, context, seconds), set()
    except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
        exchange.error = error
        if isinstance(error, smtplib.SMTPResponseException):
            words = error.smtp_error
            exchange.answer = words if isinstance(words, bytes) else str(words).encode()
        return "fault", unreached(exchange), _advice(error, place)
    took = show_duration(time.monotonic() - began)
    return _judge(place, certificate, offers, took)


def _connect(place: _Place, context: ssl.SSLContext, seconds: float) -> dict[str, Any]:
    with socket.create_connection((place.host, place.port), timeout=seconds) as plain:
        if place.security == "none":
            return {}
        with context.wrap_socket(plain, server_hostname=place.host) as secured:
            return secured.getpeercert() or {}


def _greet(
    place: _Place, context: ssl.SSLContext, seconds: float
) -> tuple[dict[str, Any], set[str]]:
    made: smtplib.SMTP
    if place.security == SMTPSecureMode.SSL:
        made = smtplib.SMTP_SSL(place.host, place.port, timeout=seconds, context=context)
    else:
        made = smtplib.SMTP(place.host, place.port, timeout=seconds)
    with made:
        made.ehlo_or_helo_if_needed()
        if place.security == SMTPSecureMode.STARTTLS:
            made.starttls(context=context)
            made.ehlo()
        secured = made.sock
        certificate = secured.getpeercert() if isinstance(secured, ssl.SSLSocket) else None
        return certificate or {}, set(made.esmtp_features)


def _judge(place: _Place, certificate: dict[str, Any], offers: set[str], took: str) -> _Found:
    clear = place.security in ("none", SMTPSecureMode.INSECURE)
    how = "in the clear" if clear else "over TLS"
    text = f"{place} answers {how} ({took})"
    if place.login and "auth" not in offers:
        advice = "take `user` and `password` away if it needs none, or use its port for logins"
        return "fault", f"{text}, but takes no login there", advice
    if place.mail and clear and "starttls" in offers:
        return "warning", f"{text}, though it offers STARTTLS", "set `security: starttls`"
    if clear and place.host not in ("127.0.0.1", "::1", "localhost"):
        return "warning", f"{text}: who listens on the way can read it", "use TLS if it can"
    if not clear and not place.verify:
        return "warning", f"{text}, and nobody looks at its certificate", "take `verify=no` away"
    ends = certificate.get("notAfter")
    if ends is not None:
        left = ssl.cert_time_to_seconds(ends) - time.time()
        if left < ENDS_SOON:
            advice = "whoever runs it must renew it in time"
            return "warning", f"{text}; its certificate ends in {show_duration(left)}", advice
    return "ok", text + (", and takes logins" if place.login else ""), None


def _advice(error: BaseException, place: _Place) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        told = "it is signed by an authority that is not known here: ROUTER_CA_BUNDLE names others"
        return _CODES.get(error.verify_code, told)
    if isinstance(error, ssl.SSLError):
        keys = "`security` and `port`" if place.mail else "the address"
        return f"it does not speak TLS there: see to {keys}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "set `security: ssl` (port 465), or let its people offer STARTTLS"
    if isinstance(error, smtplib.SMTPResponseException):
        return "it refuses this machine: its people know why"
    if isinstance(error, socket.gaierror):
        return "correct the host in the rules, or see to DNS on this machine"
    return _SLOW if isinstance(error, TimeoutError) else _AWAY


_DELIVERY = Delivery(
    id=0,
    key="probe",
    event=Event(0, "probe", 0.0, b"{}", {"trigger": "probe"}),
    rule="probe",
    channel="probe",
    attempt=1,
)


def _message(sender: Sender) -> Message:
    return Message(
        title="probe",
        body="probe",
        format=sender.format,
        text="probe",
        severity="info",
        colour="#000000",
        link=None,
        because="probe",
        rung="plain",
    )
