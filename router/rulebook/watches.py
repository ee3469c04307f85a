"""Reading `watch:`: what the router tells about itself, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from router.problem import suggest
from router.rules import Rule, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from router.rulebook.conditions import WhenReader
    from router.rulebook.timing import TimingReader
    from router.rulebook.tree import Path, Tree
    from router.rules import Target

KINDS: tuple[Literal["channel_failing", "silent_source", "template_error"], ...] = (
    "channel_failing",
    "silent_source",
    "template_error",
)


class WatchReader:
    """Reads the watches of one file; what is wrong is told to its tree."""

    def __init__(
        self,
        tree: Tree,
        timing: TimingReader,
        conditions: WhenReader,
        targets: Callable[[Any], tuple[Target, ...]],
    ) -> None:
        self._tree = tree
        self._timing = timing
        self._conditions = conditions
        self._targets = targets

    def read(
        self, names: Mapping[str, Collection[str]], taken: set[str]
    ) -> tuple[list[Watch], list[tuple[Rule, Path]]]:
        """The file's watches; those of unmatched events are rules of their own.

        `names` are what each kind can be about; `taken` the names of watches so far.
        """
        watches: list[Watch] = []
        rules: list[tuple[Rule, Path]] = []
        given = self._tree.data.get("watch") if isinstance(self._tree.data, dict) else None
        for number, data in enumerate(given if isinstance(given, list) else []):
            if not isinstance(data, dict):
                continue
            path: Path = ("watch", number)
            kinds = [key for key in (*KINDS, "unmatched") if key in data]
            if len(kinds) != 1:
                told = "nothing" if not kinds else "two things"
                note = f"each is exactly one of {', '.join((*KINDS, 'unmatched'))}"
                self._tree.tell(self._tree.value(path), f"this watch is for {told}", note)
                continue
            name = _name(kinds[0], taken)
            self._fits(data, path, kinds[0])
            if kinds[0] == "unmatched":
                rules.append((self._unmatched(data, path, name), path))
            else:
                watches.append(self._watch(data, path, name, kinds[0], names))
        return watches, rules

    def _unmatched(self, data: dict[str, Any], path: Path, name: str) -> Rule:
        when = self._conditions.read(data["unmatched"], (*path, "unmatched"), name)
        digest = self._timing.digest(data.get("digest"), (*path, "digest"), f"`{name}`", None)
        return Rule(
            name=name,
            when=None,
            unmatched=when,
            targets=self._targets(data.get("notify")),
            severity="warning",
            digest=digest,
            enabled=when is not None,
            position=self._tree.value(path),
        )

    def _watch(
        self,
        data: dict[str, Any],
        path: Path,
        name: str,
        kind: str,
        names: Mapping[str, Collection[str]],
    ) -> Watch:
        about = str(data[kind])
        if isinstance(data[kind], str) and about != "any" and about not in names[kind]:
            what = {"channel_failing": "channel", "silent_source": "source"}.get(kind, "rule")
            text = f"`{name}` is about unknown {what} `{about}`"
            note = suggest(about, [*names[kind], "any"])
            self._tree.tell(self._tree.value((*path, kind)), text, note)
        who = f"`{name}`"
        wait = self._timing.wait(data.get("for"), (*path, "for"), who)
        calendar = self._timing.calendar(data.get("calendar"), (*path, "calendar"), who)
        targets = self._targets(data.get("notify"))
        if kind == "channel_failing" and [t.channel for t in targets] == [about]:
            text = f"`{name}` would tell channel `{about}` that it fails through itself"
            note = "name another channel"
            self._tree.tell(self._tree.value((*path, "notify")), text, note)
        found: Literal["channel_failing", "silent_source", "template_error"] = next(
            known for known in KINDS if known == kind
        )
        return Watch(
            name=name, kind=found, about=about, targets=targets, wait=wait, calendar=calendar
        )

    def _fits(self, data: dict[str, Any], path: Path, kind: str) -> None:
        """See that each key says something about this kind of watch."""
        keys = {
            "channel_failing": ("for",),
            "silent_source": ("for", "calendar"),
            "unmatched": ("digest",),
            "template_error": (),
        }[kind]
        for key in ("for", "calendar", "digest"):
            if key in data and key not in keys:
                text = f"`{key}` says nothing about `{kind}`; take it away"
                self._tree.tell(self._tree.key((*path, key)), text)
        if "for" in keys and "for" not in data:
            text = "this watch does not say for how long; add `for:`, like `for: 15m`"
            self._tree.tell(self._tree.value(path), text)


def _name(kind: str, taken: set[str]) -> str:
    number = 1
    name = f"watch: {kind}"
    while name in taken:
        number += 1
        name = f"watch: {kind} {number}"
    taken.add(name)
    return name
