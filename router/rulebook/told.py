"""Who is told: channels, groups and fallbacks that are named, and those that nobody names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from router.problem import Problem, closest, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.rulebook.draft import Draft
    from router.rulebook.tree import Path, Tree


class Item(NamedTuple):
    """One name in a `notify`, where it stands, and the template it asks for."""

    tree: Tree
    path: Path
    channel: Any
    template: Any
    subject: str
    in_watch: bool


def notified(draft: Draft) -> Iterator[Item]:
    """Every name in every `notify` of the files."""
    for tree, path, data, subject in _blocks(draft):
        given = data.get("notify")
        for number, item in enumerate(given if isinstance(given, list) else [given]):
            several = isinstance(given, list)
            at: Path = (*path, "notify", number) if several else (*path, "notify")
            watch = path[0] == "watch"
            if isinstance(item, dict):
                channel = item.get("channel")
                yield Item(tree, at, channel, item.get("template"), subject, watch)
            else:
                yield Item(tree, at, item, None, subject, watch)


def check_told(draft: Draft) -> Iterator[Problem]:
    """Every problem of who is told."""
    known = {*draft.declared, *draft.groups}
    for rule, tree, path in draft.rules:
        if tree.data["rules"][path[-1]].get("notify") is None and not rule.targets:
            where = tree.value((*path, "name"))
            yield Problem(where, f"rule `{rule.name}` tells nobody", ("add `notify:`",))
    for tree, path, data, subject in _blocks(draft):
        if data.get("notify") == []:
            where = tree.value((*path, "notify"))
            yield Problem(where, f"{subject} tells nobody; `notify` is empty")
    seen: set[tuple[str, Path, str]] = set()
    for item in notified(draft):
        if not isinstance(item.channel, str):
            continue
        at = (*item.path, "channel")
        where = item.tree.value(at)
        if item.channel not in known and draft.whole:
            text = f"{item.subject} tells unknown channel `{item.channel}`"
            yield Problem(where, text, (suggest(item.channel, known),))
        once = (item.tree.file, item.path[:-1], item.channel)
        if once in seen:
            text = f"{item.subject} tells `{item.channel}` here a second time; it is told once"
            yield Problem(where, text, (), "warning")
        seen.add(once)
        if item.in_watch and isinstance(item.template, str):
            where = item.tree.key((*item.path, "template"))
            yield Problem(where, "a watch has words of its own; take `template` away")
    yield from _groups(draft)
    yield from _fallbacks(draft)
    if draft.whole:
        yield from _unused(draft)


def _blocks(draft: Draft) -> Iterator[tuple[Tree, Path, dict[str, Any], str]]:
    """What may hold a `notify`: where it stands, and how it is called."""
    defaults = draft.main.data.get("defaults")
    if isinstance(defaults, dict):
        yield draft.main, ("defaults",), defaults, "`defaults`"
    for rule, tree, path in draft.rules:
        data: dict[str, Any] = tree.data["rules"][path[-1]]
        yield tree, path, data, f"rule `{rule.name}`"
        steps = data.get("escalate")
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                yield tree, (*path, "escalate", number), step, f"rule `{rule.name}`"
    for tree in draft.trees:
        watches = tree.data.get("watch") if isinstance(tree.data, dict) else None
        for number, watch in enumerate(watches if isinstance(watches, list) else []):
            if isinstance(watch, dict):
                yield tree, ("watch", number), watch, "this watch"


def _given_groups(draft: Draft) -> Iterator[tuple[Tree, str, list[Any]]]:
    for tree in draft.trees:
        groups = tree.data.get("groups") if isinstance(tree.data, dict) else None
        for name, members in groups.items() if isinstance(groups, dict) else ():
            if isinstance(members, list):
                yield tree, name, members


def _groups(draft: Draft) -> Iterator[Problem]:
    for tree, name, members in _given_groups(draft):
        if not members:
            where = tree.value(("groups", name))
            yield Problem(where, f"group `{name}` is empty; nobody would be told")
        for number, member in enumerate(members):
            where = tree.value(("groups", name, number))
            if not isinstance(member, str):
                continue
            if member in draft.groups:
                text = f"group `{name}` names group `{member}`; a group lists channels"
                yield Problem(where, text)
            elif member not in draft.declared:
                text = f"group `{name}` names unknown channel `{member}`"
                yield Problem(where, text, (suggest(member, draft.declared),))
            elif member in members[:number]:
                text = f"group `{name}` names `{member}` a second time"
                yield Problem(where, text, (), "warning")


def _fallbacks(draft: Draft) -> Iterator[Problem]:
    for name, channel in draft.channels.items():
        where = draft.main.value(("channels", name, "fallback"))
        if channel.fallback is None:
            continue
        if channel.fallback not in draft.declared:
            text = f"channel `{name}` falls back to unknown channel `{channel.fallback}`"
            yield Problem(where, text, (suggest(channel.fallback, draft.declared),))
        elif way := _circle(draft, name):
            text = f"the fallback of channel `{name}` leads back to itself"
            notes = (f"by {', '.join(f'`{n}`' for n in way)}",) if len(way) > 1 else ()
            yield Problem(where, text, notes)


def _circle(draft: Draft, start: str) -> list[str]:
    """The channels on a way of fallbacks that leads back to its start."""
    way: list[str] = []
    at = draft.channels[start].fallback
    while at is not None and at in draft.channels and at not in way:
        way.append(at)
        if at == start:
            return way
        at = draft.channels[at].fallback
    return []


def _unused(draft: Draft) -> Iterator[Problem]:
    named = {str(item.channel) for item in notified(draft)}
    named |= {str(m) for _, _, members in _given_groups(draft) for m in members}
    # What was probably meant is not told to be unused as well.
    names = (*draft.declared, *draft.groups)
    named |= {closest(name, names) or "" for name in named.difference(names)}
    told = {str(m) for _, name, members in _given_groups(draft) if name in named for m in members}
    told |= named | {channel.fallback or "" for channel in draft.channels.values()}
    for name in draft.channels:
        if name not in told:
            where = draft.main.key(("channels", name))
            yield Problem(where, f"channel `{name}` is used by no rule", (), "warning")
    for tree, name, _ in _given_groups(draft):
        if name not in named:
            where = tree.key(("groups", name))
            yield Problem(where, f"group `{name}` is used by no rule", (), "warning")
    meant = {closest(name, draft.calendars) for name in draft.used_calendars - set(draft.calendars)}
    for name in draft.calendars:
        if name not in {*draft.used_calendars, *meant}:
            where = draft.main.key(("calendars", name))
            yield Problem(where, f"calendar `{name}` is used by nothing", (), "warning")
