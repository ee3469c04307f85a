"""The doctor's findings: what is well, what is doubtful, what is wrong, and what to do about it."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from router.duration import show_duration
from router.in_force import deaf
from router.problem import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.delivery import Probe
    from router.ledger import Cause, Looked
    from router.problem import Problem
    from router.rules import Ruleset
    from router.secret import Secret
    from router.settings import Settings

State = Literal["ok", "warning", "fault"]

SHORTEST_SECRET = 16
SHORTEST_PASSWORD = 12
SHORTEST_RETENTION = 86400.0
SKEW = 5.0
"""Seconds that clocks may differ."""
SCARCE = 1 << 30
FULL = 64 << 20
"""Bytes left on the disk of the database: too few to go on for long, too few to go on at all."""
BORN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""No clock of a machine that runs this can be before."""
_DATABASE_ADVICE: dict[Cause, str] = {
    "locked": "wait, or end the process that holds it",
    "full": "make room on its disk",
    "newer": "start that version",
    "silent": "see that it runs and can be reached, and what holds it up",
    "other": "correct ROUTER_DATABASE_URL, or the rights of the user that runs this",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: `about` names it, `advice` says what to do."""

    about: str
    state: State
    text: str
    advice: str | None = None


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What the environment says of this process; none of it shows a secret."""
    where = f"{settings.host}:{settings.port}"
    if settings.outbound == "capture":
        text = "capture: messages are kept and shown, nothing is sent"
        yield Finding("mode", "warning", text, "set ROUTER_OUTBOUND=live when they are to go out")
    else:
        yield Finding("mode", "ok", "live: messages are sent")
    yield _who_gets_in(settings, where)
    if not settings.on_loopback and settings.url is None:
        text = f"links in messages lead to {settings.base_url}"
        yield Finding("address", "warning", text, "set ROUTER_URL to what people type")
    elif not settings.on_loopback and settings.base_url.startswith("http://"):
        text = f"people reach it over {settings.base_url}, in the clear"
        yield Finding("address", "warning", text, "put TLS in front, and write https:// there")
    else:
        yield Finding("address", "ok", f"links in messages lead to {settings.base_url}")
    everybody = [n for n in settings.trusted_proxies if ipaddress.ip_network(n).prefixlen == 0]
    if everybody:
        text = f"ROUTER_TRUSTED_PROXIES holds {everybody[0]}: anybody may say where they come from"
        yield Finding("proxies", "warning", text, "name the proxies' own networks")
    kept = f"history is kept for {show_duration(settings.retention)}"
    if settings.retention < SHORTEST_RETENTION:
        advice = "a message may be tried for a day: set ROUTER_RETENTION longer"
        yield Finding("retention", "warning", kept, advice)
    else:
        yield Finding("retention", "ok", kept)
    yield _authorities(settings.ca_bundle)


def _who_gets_in(settings: Settings, where: str) -> Finding:
    if settings.open_to_all and settings.on_loopback:
        return Finding(
            "login", "ok", f"no password is asked for; only this machine reaches {where}"
        )
    if settings.open_to_all:
        text = f"no password is asked for on {where}"
        return Finding("login", "warning", text, "see that something in front asks for one")
    for name, secret in (
        ("ROUTER_ADMIN_PASSWORD", settings.admin_password),
        ("ROUTER_API_TOKEN", settings.api_token),
    ):
        if secret is not None and len(secret.reveal()) < SHORTEST_PASSWORD:
            text = f"{name} is shorter than {SHORTEST_PASSWORD} characters"
            return Finding("login", "warning", text, "`router token` makes a long one")
    return Finding("login", "ok", f"a password or token is asked for on {where}")


def _authorities(bundle: str | None) -> Finding:
    try:
        found = ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        text = f"ROUTER_CA_BUNDLE: {bundle} cannot be used: {reason}"
        return Finding("TLS", "fault", text, "name a PEM file with certificate authorities")
    whose = f"those in {bundle}" if bundle else "the system's"
    if not bundle and not found.cert_store_stats()["x509_ca"]:
        # A folder of authorities is read when one is asked for; nothing can be counted before.
        return Finding("TLS", "ok", "certificate authorities: the system's, as they are needed")
    return Finding("TLS", "ok", f"certificate authorities: {whose}")


def of_rules(
    name: str, problems: Sequence[Problem], ruleset: Ruleset | None, capture: bool
) -> Iterator[Finding]:
    """What is wrong with the rules and their templates, and which secrets they lack."""
    templates = [p for p in problems if p.position.file.endswith(".j2")]
    rules = [p for p in problems if p not in templates]
    advice = "`router check` shows each, with what to do"
    size = (
        "" if ruleset is None else f"{len(ruleset.rules)} rules, {len(ruleset.channels)} channels"
    )
    yield _counted("rules", name, rules, size, advice)
    number = 0 if ruleset is None else len(ruleset.templates)
    yield _counted("templates", "templates", templates, f"{number} files", advice)
    if ruleset is None:
        return
    lacking = deaf(ruleset)
    for text in lacking:
        hint = "set it in the environment; `router token` makes one"
        yield Finding("secrets", "warning" if capture else "fault", text, hint)
    weak = [
        f"source `{source.name}`: its secret is shorter than {SHORTEST_SECRET} characters"
        for source in ruleset.sources.values()
        if any(0 < _length(secret) < SHORTEST_SECRET for secret in source.secrets)
    ]
    for text in weak:
        yield Finding("secrets", "warning", text, "`router token` makes a long one")
    if not lacking and not weak:
        many = len(ruleset.sources)
        yield Finding("secrets", "ok", f"{many} source{'s' * (many != 1)} can post")


def _length(secret: Secret) -> int:
    return len(secret.reveal())


def _counted(about: str, name: str, problems: Sequence[Problem], size: str, advice: str) -> Finding:
    if not problems:
        return Finding(about, "ok", f"{name}: no problems{', ' + size if size else ''}")
    bad = any(problem.severity == "error" for problem in problems)
    first = problems[0]
    text = f"{count(problems)} in {name}; the first, line {first.position.line}: {first.text}"
    return Finding(about, "fault" if bad else "warning", text, advice)


def of_channels(
    probes: Sequence[Probe], ruleset: Ruleset, looked: Looked | None, now: float, capture: bool
) -> Iterator[Finding]:
    """How each channel's far end was found, and how the last attempts there went."""
    lanes = {} if looked is None else looked.lanes
    for probe in probes:
        about = f"channel {probe.channel}"
        lane = lanes.get(probe.channel)
        state: State = "warning" if capture and probe.state == "fault" else probe.state
        if ruleset.channels[probe.channel].paused:
            text = f"paused in the rules; {probe.text}"
            yield Finding(about, state, text, probe.advice)
        elif state == "ok" and lane is not None and lane.failing_since is not None:
            since = show_duration(max(0.0, now - lane.failing_since))
            text = f"{probe.text}; but sending fails since {since}: {lane.error}"
            advice = f"`router send-test {probe.channel}` tries it at once"
            yield Finding(about, "fault", text, advice)
        else:
            yield Finding(about, state, probe.text, probe.advice)


def of_ledger(looked: Looked, now: float) -> Iterator[Finding]:
    """Whether the database can be used, and what is left of its disk."""
    if looked.fault is not None:
        text = f"{looked.place}: {looked.fault}"
        yield Finding("database", "fault", text, _DATABASE_ADVICE[looked.cause])
    elif looked.schema == "none":
        text = f"{looked.place} is not there yet; `router serve` makes it"
        yield Finding("database", "ok", text)
    elif looked.schema == "older":
        text = f"{looked.place} is of an older version; the next start brings it up to date"
        yield Finding("database", "warning", text, "make a backup before")
    else:
        text = f"{looked.place} can be written; {looked.pending} deliveries wait"
        yield Finding("database", "ok", text)
    if looked.saved is not None:
        text = f"{looked.saved} holds what was in a database that was deleted or replaced"
        advice = "go on with it (stop the router, move it to the database's place), or take it away"
        yield Finding("database", "warning", text, advice)
    if looked.free is not None:
        yield _disk(looked.free)
    yield _clock(looked, now)


def _disk(free: int) -> Finding:
    left = f"{free / (1 << 30):.1f} GiB are left for the database"
    if free < FULL:
        return Finding("disk", "fault", left, "make room: events are refused (503) when it is full")
    if free < SCARCE:
        return Finding("disk", "warning", left, "make room, or set a shorter ROUTER_RETENTION")
    return Finding("disk", "ok", left)


def _clock(looked: Looked, now: float) -> Finding:
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    advice = "let this machine ask a time server (NTP)"
    if now < BORN:
        return Finding("clock", "fault", f"it says {shown}, which cannot be", advice)
    if looked.newest is not None and looked.newest > now + SKEW:
        behind = show_duration(looked.newest - now)
        text = f"it says {shown}, {behind} before the newest event came: it was set back"
        return Finding("clock", "fault", text, advice)
    if looked.clock is not None and abs(looked.clock - now) > SKEW:
        off = show_duration(abs(looked.clock - now))
        return Finding("clock", "warning", f"it differs by {off} from the database's", advice)
    return Finding("clock", "ok", shown)
