"""Watching itself: what the router tells about its own channels, sources and templates.

It is told as an event of the router's own, through the same ledger as everything else, once for
each occasion, and never through the channel that it is about.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from router.duration import show_duration
from router.ledger import LaneRow, LedgerUnavailable, Own
from router.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.in_force import Rules
    from router.ledger import Ledger, Mute
    from router.rules import Watch

LONG = 30 * 86400.0
HOUR = 3600.0
ASK = 2.0
"""Seconds between two looks at when sources were heard."""

_log = get_logger()


class Watching:
    """Looks at lanes, sources, mutes and templates. Threads may share it."""

    def __init__(self, ledger: Ledger, rules: Rules, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._rules = rules
        self._now = now
        self._heard: dict[str, float] = {}
        self._asked = 0.0
        self._told: dict[str, float] = {}  # so as not to ask the ledger every time
        self._lock = threading.Lock()

    def heard(self, source: str, at: float) -> None:
        """An event of the source was accepted."""
        with self._lock:
            self._heard[source] = max(at, self._heard.get(source, 0.0))

    def set_clock(self, seconds: float, now: float) -> None:
        """The clock was set by so much, and it is `now`: nobody was silent meanwhile."""
        with self._lock:
            self._heard = {name: min(now, at + seconds) for name, at in self._heard.items()}
        self._told.clear()  # the ledger knows what counts still

    def step(self, now: float) -> None:
        """Tell what there is to tell by now."""
        for mute in self._ledger.upkeep.end_mutes():
            self._mute_ended(mute)
        watches = self._rules.current.ruleset.watches
        if any(watch.kind == "channel_failing" for watch in watches):
            lanes = self._ledger.lanes()
            for watch in watches:
                if watch.kind == "channel_failing":
                    self._channels(watch, lanes, now)
        if any(watch.kind == "silent_source" for watch in watches) and not (
            0 <= now - self._asked < ASK
        ):
            self._asked = now
            self._sources(now)

    def template_failed(self, rule: str, channel: str, fault: str) -> None:
        """A template could not say it, and the built-in words did; told once an hour a rule."""
        for watch in self._rules.current.ruleset.watches:
            if watch.kind != "template_error" or watch.about not in ("any", rule):
                continue
            text = (
                f"The words of rule \u201c{rule}\u201d for {channel} failed;"
                f" the built-in words went out instead. {fault}"
            )
            fields = {"title": f"A template fails: {rule}", "text": text, "channel": channel}
            now = self._now()
            self._tell(watch, rule, now + HOUR, fields, without=None)

    def _channels(self, watch: Watch, lanes: dict[str, LaneRow], now: float) -> None:
        for name in self._rules.current.ruleset.channels:
            lane = lanes.get(name)
            if lane is None or lane.failing_since is None or watch.about not in ("any", name):
                continue
            if now - lane.failing_since < watch.wait:
                continue
            since = show_duration(now - lane.failing_since)
            text = f"{name} has been failing for {since}; what is for it waits. {lane.error or ''}"
            fields = {"title": f"Channel {name} keeps failing", "text": text, "channel": name}
            occasion = f"{name}\x1f{lane.failing_since:.0f}"
            self._tell(watch, occasion, now + LONG, fields, without=name)

    def _sources(self, now: float) -> None:
        ruleset = self._rules.current.ruleset
        with self._lock:
            seen = {name: self._heard.get(name, 0.0) for name in ruleset.sources}
        known = self._ledger.upkeep.note_seen(seen)
        # A source never heard of counts from now: a fresh start is no silence.
        fresh = {name: now for name, at in known.items() if not at}
        if fresh:
            known |= self._ledger.upkeep.note_seen(fresh)
        for watch in ruleset.watches:
            if watch.kind != "silent_source":
                continue
            for name, last in known.items():
                if watch.about in ("any", name):
                    self._source(watch, name, last, now)

    def _source(self, watch: Watch, name: str, last: float, now: float) -> None:
        silent = now - last
        if watch.calendar is not None:
            silent = watch.calendar.open_between(last, now)
        if silent < watch.wait:
            return
        counted = f" of {watch.calendar.name}'s open time" if watch.calendar is not None else ""
        text = f"No event came from {name} for {show_duration(silent)}{counted}."
        fields = {"title": f"Source {name} is silent", "text": text}
        self._tell(watch, f"{name}\x1f{last:.0f}", now + LONG, fields, without=None)

    def _mute_ended(self, mute: Mute) -> None:
        total = sum(mute.held.values())
        _log.info("mute_ended", kind=mute.kind, held=total)
        if not total:
            return
        ruleset = self._rules.current.ruleset
        many = "1 message" if total == 1 else f"{total} messages"
        text = f"The mute of {mute.kind} {mute.name} has ended; it held back {many}. {mute.reason}"
        own = Own(
            key=f"mute\x1f{mute.id}",
            again_at=self._now() + LONG,
            rule="mute ended",
            trigger="router_mute_ended",
            fields={"title": f"Mute ended: {many} held back", "text": text},
            channels=tuple(name for name in mute.held if name in ruleset.channels),
            ruleset=ruleset.hash,
        )
        self._ledger.upkeep.tell(own)

    def _tell(
        self,
        watch: Watch,
        occasion: str,
        again_at: float,
        fields: dict[str, Any],
        *,
        without: str | None,
    ) -> None:
        key = f"{watch.name}\x1f{occasion}"
        if self._told.get(key, 0.0) > self._now():
            return
        self._told[key] = again_at
        ruleset = self._rules.current.ruleset
        channels = tuple(t.channel for t in watch.targets if t.channel != without)
        if not channels:
            _log.error("watch_has_nobody", watch=watch.name, about=without)
            return
        own = Own(
            key=key,
            again_at=again_at,
            rule=watch.name,
            trigger=f"router_{watch.kind}",
            fields=fields,
            channels=channels,
            ruleset=ruleset.hash,
        )
        try:
            new = self._ledger.upkeep.tell(own)
        except LedgerUnavailable as error:
            del self._told[key]
            _log.error("ledger_unavailable", what="watch", reason=str(error))
            return
        if new:
            _log.warning("watch_told", watch=watch.name, title=fields["title"])
