"""Any other service that apprise speaks, by its address."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from apprise import Apprise, NotificationManager, NotifyFormat, NotifyType

from router.delivery.classify import Told
from router.delivery.plugins import ASSET, quiet
from router.delivery.senders import ChannelError, option
from router.message import Format

if TYPE_CHECKING:
    from router.delivery.wire import Recorder
    from router.message import Delivery, Message
    from router.rules import Channel

REFUSED_SCHEMES = frozenset(
    {
        *("apprise", "apprises", "syslog", "rsyslog", "dbus", "qt", "kde", "glib", "gnome"),
        *("macosx", "windows", "blink1", "irc", "ircs", "aprs", "dapnet", "smpp", "smpps"),
        *("mqtt", "mqtts", "amqp", "amqps", "xmpp", "xmpps", "growl", "vapid", "fcm"),
        *("session", "sessions", "sogs", "nostr", "atalk", "dot"),
    }
)
"""Services of this machine, of another protocol than HTTP and mail (which would pass by the
deadline and the record), or that read files."""
REFUSED_PARAMETERS = frozenset(
    {
        *("template", "pgp", "pgpkey", "pgppub", "pgpprv", "attach", "attach-as", "config"),
        *(
            "retry",
            "wait",
            "optional",
            "redirect",
            "overflow",
            "emojis",
            "tz",
            "store",
            "cto",
            "rto",
        ),
    }
)
"""What reads files, or what the router does itself and better."""
TYPES = {
    "info": NotifyType.INFO,
    "success": NotifyType.SUCCESS,
    "warning": NotifyType.WARNING,
    "failure": NotifyType.FAILURE,
}
_FORMATS: dict[str, Any] = {
    "html": NotifyFormat.HTML,
    "markdown": NotifyFormat.MARKDOWN,
    "text": NotifyFormat.TEXT,
}
PLACEHOLDER = "json://captured.invalid"


class ServiceSender:
    """One recipient of one service, through apprise's own plugin."""

    keeps_threads = False

    def __init__(self, channel: Channel, *, capture: bool) -> None:
        url = option(channel, "url", PLACEHOLDER if capture else None)
        for fault in faults_of(url):
            raise ChannelError(f"channel `{channel.name}`: {fault}")
        with quiet():
            self._plugin = Apprise.instantiate(url, asset=ASSET)
        self._plugin.throttle = lambda *_, **__: None
        self.format: Format = _format_of(self._plugin)

    def send(self, delivery: Delivery, message: Message, recorder: Recorder) -> Told:
        body = message.body.strip() or message.title
        if delivery.possible_repeat:
            body += "<p>(possible repeat)</p>" if self.format == "html" else "\n(possible repeat)"
        sent = self._plugin.notify(
            body=body,
            title=message.title,
            notify_type=TYPES[message.severity],
            body_format=_FORMATS[self.format],
        )
        return Told(delivered=bool(sent) or (recorder.wire.capture and bool(recorder.exchanges)))


def faults_of(url: str) -> list[str]:
    """What is wrong with an apprise address, in words that show nothing of it but its own names."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    known = schemes()
    if scheme in ("http", "https"):
        return ["`url` is a web address; for a JSON POST use `webhook:`, for Slack `slack:`"]
    if scheme not in known:
        close = difflib.get_close_matches(scheme, known, n=1, cutoff=0.7)
        guess = f"; did you mean `{close[0]}://`?" if close else ""
        return [f"`url` begins with no service that apprise knows{guess}"]
    if scheme in REFUSED_SCHEMES:
        return [f"`{scheme}://` is not available here: it does not speak HTTP or mail"]
    faults = _parameter_faults(url, scheme)
    if faults:
        return faults
    with quiet():
        plugin = Apprise.instantiate(url, asset=ASSET)
    if plugin is None:
        return [f"apprise does not take this `{scheme}://` address; see its page for the form"]
    if len(plugin) != 1:
        return [f"`url` names {len(plugin)} recipients; a channel has exactly one: make a group"]
    return []


def schemes() -> list[str]:
    """Every scheme that apprise knows."""
    manager = NotificationManager()
    with quiet():
        manager.load_modules()
    return sorted(manager.schemas())


def _parameter_faults(url: str, scheme: str) -> list[str]:
    plugin = NotificationManager()[scheme]
    known = {*plugin.template_args, *getattr(plugin, "template_kwargs", ())}
    faults = []
    try:
        given = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return ["`url` is no address"]
    for name, _ in given:
        if name.lower() in REFUSED_PARAMETERS:
            faults.append(f"the parameter `{name}` is not available here")
        elif name[:1] not in "+-:" and name.lower() not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            guess = f"did you mean `{close[0]}`?" if close else "apprise would ignore it"
            faults.append(f"`{scheme}://` has no parameter `{name}`; {guess}")
    return faults


def _format_of(plugin: Any) -> Format:
    taken = plugin.notify_format
    formats = taken if isinstance(taken, tuple | list) else (taken,)
    if NotifyFormat.HTML in formats and "mail" in str(plugin.protocol):
        return "html"
    if NotifyFormat.MARKDOWN in formats:
        return "markdown"
    if NotifyFormat.TEXT in formats:
        return "text"
    return "html"
