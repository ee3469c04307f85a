"""What is in force: one ruleset, compiled, with its templates and channels ready.

A change is checked aside, then swapped in at once. What is under way keeps its event's rules.
"""

from __future__ import annotations

import hashlib
import threading
from math import inf
from typing import TYPE_CHECKING

import msgspec

from router.delivery import ChannelError, Gateway, Watchdog, formats, inspect, unusable
from router.event import OWN
from router.ledger import LedgerUnavailable
from router.loaded import Loaded, LoadOutcome, NoRules
from router.log import Repeated, get_logger
from router.problem import Position, Problem, report
from router.render import ONCE, Occasion, Renderer
from router.route import RoutingTable
from router.rulebook import Files, RuleTest, build, prove, read_files, rebuild
from router.rules import Rule
from router.scheduler import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.event import Event
    from router.ledger import Ledger
    from router.message import Message
    from router.rules import Ruleset
    from router.scheduler import Scheduler
    from router.secret import Redactor
    from router.settings import Settings

REMEMBERED = 16

_log = get_logger()


class InForce(msgspec.Struct, frozen=True):
    """One ruleset and all that is made from it; its `tests` have passed.

    `files` are what it was read from, with the secrets that stand in them masked.
    """

    ruleset: Ruleset
    table: RoutingTable
    renderer: Renderer
    gateway: Gateway
    files: Files
    tests: tuple[RuleTest, ...] = ()


class Words(msgspec.Struct, frozen=True):
    """The rules and templates that speak for an event, by its own ruleset."""

    ruleset: Ruleset
    table: RoutingTable
    renderer: Renderer


def say(
    force: InForce,
    words: Words,
    event: Event,
    rule: str,
    channel: str,
    occasion: Occasion = ONCE,
) -> Message:
    """What a rule says to a channel about an event: its words, for the channel as it is now.

    The channel must be in force. A rule that is gone is answered with the built-in words. What
    the router tells about itself brings its words along.
    """
    if event.source == OWN:
        own = Rule(name=rule, when=None, targets=(), severity="warning")
        found = msgspec.structs.replace(own, title="{{ event.title }}", body="{{ event.text }}")
    else:
        found = words.ruleset.rule(rule) or Rule(name=rule, when=None, targets=())
    return words.renderer.render(
        event=event,
        rule=found,
        target=found.target(channel),
        channel=force.ruleset.channels[channel],
        format=force.gateway.format_of(channel),
        occasion=occasion,
    )


class Rules:
    """The rules in force, and the way to new ones. Threads may read it at any time."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        read_file: Callable[[str], str],
        ledger: Ledger,
        redactor: Redactor,
        scheduler: Scheduler = THREADS,
    ) -> None:
        """Read the rules and put them in force.

        Raises NoRules with a report if they are broken, LedgerUnavailable if they are well and
        cannot be written down. The secrets of every ruleset are made known to `redactor`.
        """
        self._settings = settings
        self._environment = environment
        self._read_file = read_file
        self._ledger = ledger
        self._redactor = redactor
        self._scheduler = scheduler
        self.watchdog = Watchdog(scheduler)  # one, since what is under way outlives its ruleset
        self._lock = threading.Lock()
        self._older_lock = threading.Lock()  # a load takes long, and senders must not wait for it
        self._seen = ""
        self._unwritten_at = -inf  # monotonic: when the database last did not take them
        self._faults = Repeated("rules_fault")
        self._older: dict[str, Words] = {}
        self._current: InForce | None = None
        last = self.last = self.load()
        if last.outcome == "unwritten":
            raise LedgerUnavailable(last.fault)
        if self._current is None:
            raise NoRules(report(last.problems, last.files, settings.rules, "not started"))

    @property
    def current(self) -> InForce:
        if self._current is None:
            raise AssertionError("no rules were put in force")
        return self._current

    @property
    def retention(self) -> float:
        """Seconds that history is kept."""
        return self._settings.retention

    def changed_on_disk(self) -> bool:
        """Whether the files differ from those last read, by their content."""
        try:
            return _digest(self._read()) != self._seen
        except Exception:  # noqa: BLE001 - `load` meets it again, and tells it
            return True

    def load(self) -> Loaded:
        """Read the files; put them in force if they are sound. Keeps the ruleset in the ledger.

        Never raises: whatever fails, the rules in force stay, and what is returned says why.
        """
        asked_at = self._scheduler.monotonic()
        with self._lock:
            if self._unwritten_at >= asked_at:
                return self.last  # it has waited for the database long enough, behind another load
            try:
                self.last = self._load()
            except Exception as error:  # noqa: BLE001 - told as a problem, and in full in the log
                self._faults.note("load", error, expected=False)
                if isinstance(error, OSError | MemoryError | RuntimeError):
                    self._seen = ""  # a lack that may be over at the next look
                kind = type(error).__name__
                text = f"the router itself failed while reading these rules ({kind}); see its log"
                where = Position(self._settings.rules, 1, 1)
                self.last = Loaded("broken", (Problem(where, text),))
            else:
                self._faults.over("load")
            return self.last

    def _load(self) -> Loaded:
        files = self._read()
        self._seen = _digest(files)
        built = build(
            files,
            environment=self._environment,
            read_file=self._read_file,
            inspect_channel=inspect,
            outbound=self._settings.outbound,
        )
        found = prove(built, formats)
        if found.ruleset is None:
            return Loaded("broken", tuple(found.problems), found.files)
        live = self._settings.outbound == "live"
        faults = [*deaf(found.ruleset), *unusable(found.ruleset.channels)] if live else []
        if faults:
            where = Position(self._settings.rules, 1, 1)
            problems = [Problem(where, text) for text in faults]
            return Loaded("broken", (*found.problems, *problems), found.files)
        try:
            new = self._make(found.ruleset, _masked(files, found.ruleset), found.tests)
        except ChannelError as error:
            problem = Problem(Position(self._settings.rules, 1, 1), str(error))
            return Loaded("broken", (*found.problems, problem), found.files)
        same = self._current is not None and self._current.ruleset.hash == new.ruleset.hash
        # Those in force were written down when they came into force.
        fault = None if same else self._write_down(new)
        if fault is not None:
            return Loaded("unwritten", tuple(found.problems), found.files, fault)
        self._swap(new)
        outcome: LoadOutcome = "unchanged" if same else "changed"
        return Loaded(outcome, tuple(found.problems), found.files)

    def _write_down(self, new: InForce) -> str | None:
        """Keep a ruleset in the ledger; returns why the database does not take it, if so.

        Unless it is kept, what was made of it is closed, and it is to be tried again.
        """
        try:
            self._ledger.keep_ruleset(new.ruleset.hash, new.ruleset.files)
        except LedgerUnavailable as error:
            new.gateway.close()
            self._seen = ""
            self._unwritten_at = self._scheduler.monotonic()
            return str(error)
        except BaseException:
            new.gateway.close()
            raise
        return None

    def words(self, hash_: str) -> Words:
        """The rules and templates of a ruleset by its hash: from memory, or from the ledger.

        A ruleset that nobody kept, or that cannot be made any more, is answered with the rules in
        force.
        """
        current = self.current
        if current.ruleset.hash == hash_:
            return _words(current)
        with self._older_lock:
            words = self._older.get(hash_)
            if words is None:
                files = self._ledger.ruleset(hash_)
                if files is None:
                    return _words(current)
                words = self._rebuild(hash_, files) or _words(current)
                self._remember(hash_, words)
            return words

    def _rebuild(self, hash_: str, files: dict[str, str]) -> Words | None:
        try:
            ruleset = rebuild(files)
            renderer = Renderer(ruleset.templates, base_url=self._settings.base_url)
            return Words(ruleset, RoutingTable(ruleset), renderer)
        except Exception:  # noqa: BLE001 - it is logged in full; the rules in force speak instead
            _log.exception("ruleset_fault", ruleset=hash_)
            return None

    def _make(self, ruleset: Ruleset, files: Files, tests: tuple[RuleTest, ...]) -> InForce:
        self._redactor.add(ruleset.secrets())
        gateway = Gateway(
            ruleset.channels,
            outbound=self._settings.outbound,
            ca_bundle=self._settings.ca_bundle,
            redactor=self._redactor,
            watchdog=self.watchdog,
        )
        try:
            renderer = Renderer(ruleset.templates, base_url=self._settings.base_url)
            return InForce(ruleset, RoutingTable(ruleset), renderer, gateway, files, tests)
        except BaseException:
            gateway.close()
            raise

    def _swap(self, new: InForce) -> None:
        old, self._current = self._current, new
        if old is not None:
            with self._older_lock:
                self._remember(old.ruleset.hash, _words(old))
            old.gateway.close()

    def _remember(self, hash_: str, words: Words) -> None:
        self._older[hash_] = words
        while len(self._older) > REMEMBERED:
            self._older.pop(next(iter(self._older)))

    def _read(self) -> Files:
        return read_files(self._settings.rules, self._settings.templates)


def _masked(files: Files, ruleset: Ruleset) -> Files:
    rules = {name: ruleset.files.get(name, text) for name, text in files.rules.items()}
    return msgspec.structs.replace(files, rules=rules, problems=())


def deaf(ruleset: Ruleset) -> list[str]:
    """The sources that could hear nobody, each in a sentence."""
    return [
        f"source `{source.name}`: `secret` is empty; nobody could post"
        for source in ruleset.sources.values()
        if not any(source.secrets)
    ]


def _words(force: InForce) -> Words:
    return Words(force.ruleset, force.table, force.renderer)


def _digest(files: Files) -> str:
    return hashlib.sha256(msgspec.json.encode(files)).hexdigest()
