"""Email: one mail in HTML and plain text, one thread per case, the same id for every attempt."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from apprise.plugins.email.smtp import SMTP_DEFAULT_PORTS, SMTPSecureMode

from router.delivery.classify import Told
from router.delivery.senders import ChannelError, option, plain
from router.delivery.smtp import BROKEN, Controller
from router.message import Format

if TYPE_CHECKING:
    from router.delivery.wire import Recorder
    from router.message import Delivery, Message
    from router.rules import Channel

SECURITY = {
    "starttls": SMTPSecureMode.STARTTLS,
    "ssl": SMTPSecureMode.SSL,
    "none": SMTPSecureMode.INSECURE,
}
PLACEHOLDER_PASSWORD = "captured"  # noqa: S105 - no secret: what stands in for one
_ADDRESS = re.compile(
    r"(?:(?P<name>[^<>]*?)\s*<(?P<inside>[^<>@\s]+@[^<>@\s]+)>|(?P<bare>[^<>@\s]+@[^<>@\s]+))"
)
_HOST = re.compile(r"[\w.-]+|\[?[0-9a-fA-F:.%]*:[0-9a-fA-F:.%]*:[0-9a-fA-F:.%\w]*\]?")
_POLICY = SMTP.clone(max_line_length=200, cte_type="7bit")


class EmailSender:
    """One recipient (and copies) through one mail server."""

    format: Format = "html"
    keeps_threads = False

    def __init__(self, channel: Channel, *, capture: bool) -> None:
        given = channel.options
        placeholder = "mail.invalid" if capture else None
        self._host = _host(channel, option(channel, "host", placeholder))
        security = plain(given.get("security")) or "starttls"
        self._mode = SECURITY[security]
        self._port = int(given.get("port") or SMTP_DEFAULT_PORTS[self._mode])
        self._from = address(channel, "from")
        self._to = address(channel, "to")
        self._cc = [_read(channel, "cc", one) for one in _several(given.get("cc"))]
        self._reply_to = address(channel, "reply_to") if given.get("reply_to") else None
        self._user = plain(given.get("user")) or None
        self._password = plain(given.get("password")) or None
        if self._user and not self._password:
            self._password = option(channel, "password", PLACEHOLDER_PASSWORD if capture else None)

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        mime = self.build(delivery, message).as_bytes(policy=_POLICY).decode("ascii")
        recipients = [self._to.addr_spec, *(one.addr_spec for one in self._cc)]
        try:
            with Controller(
                host=self._host,
                port=self._port,
                secure_mode=self._mode,
                user=self._user,
                password=self._password,
            ) as smtp:
                return Told(delivered=smtp.sendmail(self._from.addr_spec, recipients, mime))
        except BROKEN:
            if not recorder.exchanges or recorder.exchanges[-1].error is None:
                raise
            return Told(delivered=False)  # the exchange has what happened

    def build(self, delivery: Delivery, message: Message) -> EmailMessage:
        """The mail: the same for every attempt at a delivery, but for the mark of a repeat."""
        domain = self._from.domain
        mail = EmailMessage(policy=_POLICY)
        mail["Subject"] = message.title or "Message"
        mail["From"] = self._from
        mail["To"] = self._to
        if self._cc:
            mail["Cc"] = self._cc
        if self._reply_to is not None:
            mail["Reply-To"] = self._reply_to
        moment = datetime.fromtimestamp(delivery.event.received_at, UTC)
        mail["Date"] = format_datetime(moment)
        mail["Message-ID"] = f"<{delivery.key}@{domain}>"
        case_key = delivery.event.case_key
        if case_key is not None:
            # A mail client draws mails with the same reference as one thread.
            digest = hashlib.sha256(case_key.encode("utf-8", "replace")).hexdigest()[:20]
            mail["References"] = mail["In-Reply-To"] = f"<case-{digest}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        mail["X-Router-Rule"] = delivery.rule.encode("ascii", "replace").decode()[:200]
        if delivery.possible_repeat:
            mail["X-Router-Possible-Repeat"] = "yes"
        mail.set_content(message.text or message.title, cte="quoted-printable")
        if message.format == "html":
            mail.add_alternative(message.body, subtype="html", cte="quoted-printable")
        return mail


def address(channel: Channel, name: str) -> Address:
    """A mail address of a channel's option (`a@b.example` or `Name <a@b.example>`)."""
    return _read(channel, name, option(channel, name))


def _read(channel: Channel, name: str, text: str) -> Address:
    found = _ADDRESS.fullmatch(text.strip())
    fault = ChannelError(f"channel `{channel.name}`: `{name}` is not one mail address")
    if found is None or any(ord(char) < 32 for char in text):
        raise fault
    shown = (found["name"] or "").strip(' "')
    try:
        return Address(display_name=shown, addr_spec=found["inside"] or found["bare"])
    except (ValueError, IndexError, HeaderParseError, MessageError):
        raise fault from None


def _several(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return [plain(value)] if value else []


def _host(channel: Channel, text: str) -> str:
    """The name or address of a mail server, and nothing else."""
    if not _HOST.fullmatch(text):
        raise ChannelError(
            f"channel `{channel.name}`: `host` is no name of a server; a port goes into `port`"
        )
    return text
