"""Checking what rules say: templates that are not there, do not parse, or fail for an event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from router.event import NULLABLE_FIELDS, TRIGGERS
from router.message import Format
from router.problem import Position, Problem, closest, suggest
from router.render import BUILT_IN, ONCE, Occasion, Renderer, TemplateFault
from router.render.check import inspect, inspect_source, used_by
from router.render.facts import VARIABLES
from router.render.family import SUFFIXES, families
from router.rulebook.files import template_file
from router.rulebook.guess import demanded
from router.rulebook.reach import triggers_of
from router.rulebook.samples import samples
from router.rulebook.told import notified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.event import Event
    from router.rulebook.draft import Draft
    from router.rulebook.tree import Path, Tree
    from router.rules import Rule, Ruleset, Target

_COMMENT = re.compile(r"[ \t]+#(?=[^\s#])")
_FORMATS: dict[str, tuple[Format, ...]] = {
    "slack": ("slack",),
    "email": ("html",),
    "teams": ("markdown",),
    "webhook": ("text",),
    "url": ("text", "markdown"),
}


def check_words(draft: Draft, ruleset: Ruleset) -> list[Problem]:
    """Every problem of what the rules say."""
    new = {rule.name: _new(rule) for rule, _, _ in draft.rules}
    faults = inspect(ruleset.templates, frozenset().union(*new.values()))
    problems = [_fault_in_file(fault, ruleset) for fault in faults]
    unknown = list(_named(draft, ruleset))
    inline = {
        rule.name: list(_inline(rule, tree, path, frozenset(new[rule.name])))
        for rule, tree, path in draft.rules
    }
    problems += unknown
    for told in inline.values():
        problems += told
    problems += _unused(draft, ruleset)
    broken = {fault.template for fault in faults}
    silent = {name for name, told in inline.items() if any(p.severity == "error" for p in told)}
    problems += _Rendering(draft, ruleset, broken, silent, new).problems()
    return problems


def _new(rule: Rule) -> dict[str, Any]:
    """Fields that nobody knows, which every event that the rule speaks about has nevertheless."""
    found = demanded(rule.when) if rule.when is not None else {}
    return {name: value for name, value in found.items() if name not in VARIABLES}


def _named(draft: Draft, ruleset: Ruleset) -> Iterator[Problem]:
    known = {*families(ruleset.templates), *families(BUILT_IN)}
    shown = [name for name in known if not name.startswith("_")]
    for tree, path, name, who in _names(draft):
        if name not in known:
            text = f"{who} uses unknown template `{name}`"
            note = suggest(name, shown, "there are none; add files to the templates folder")
            yield Problem(tree.value((*path, "template")), text, (note,))
    for rule, tree, path in draft.rules:
        data = tree.data["rules"][path[-1]]
        if {"template", "title", "body"} <= data.keys():
            where = tree.key((*path, "template"))
            text = f"rule `{rule.name}` never uses its `template`: `title` and `body` replace it"
            yield Problem(where, text, (), "warning")


def _names(draft: Draft) -> Iterator[tuple[Tree, Path, str, str]]:
    """Every template that the files name, where and by whom."""
    defaults = draft.main.data.get("defaults")
    if isinstance(defaults, dict) and isinstance(defaults.get("template"), str):
        yield draft.main, ("defaults",), defaults["template"], "`defaults`"
    for rule, tree, path in draft.rules:
        own = tree.data["rules"][path[-1]].get("template")
        if isinstance(own, str):
            yield tree, path, own, f"rule `{rule.name}`"
    for item in notified(draft):
        if isinstance(item.template, str) and not item.in_watch:
            yield item.tree, item.path, item.template, item.subject


def _inline(rule: Rule, tree: Tree, path: Path, new: frozenset[str]) -> Iterator[Problem]:
    for key, source in (("title", rule.title), ("body", rule.body)):
        if source is None:
            continue
        for fault in inspect_source(source, key, new=new):
            yield _fault_inline(rule, tree, (*path, key), fault)
        comment = _COMMENT.match(tree.text, tree.spans.get((*path, key), (0, 0))[1])
        if comment is not None:
            text = f"rule `{rule.name}`: what follows ` #` is a comment, and not said"
            note = "put the text in quotes if it is to be said, or a space after the `#`"
            yield Problem(tree.value((*path, key)), text, (note,), "warning")
        for found in re.finditer(r"\$\{[A-Za-z_]\w*(?::[-?][^}]*)?\}|\$\{file:[^}]*\}", source):
            text = f"rule `{rule.name}`: `{found[0]}` is not filled in here, and would be said so"
            note = "values from outside stand in `sources` and `channels` only"
            yield Problem(tree.within((*path, key), found[0]), text, (note,), "warning")


def _unused(draft: Draft, ruleset: Ruleset) -> Iterator[Problem]:
    used = {name for _, _, name, _ in _names(draft)}
    used |= {closest(name, families(ruleset.templates)) or "" for name in used}
    referenced = {name for source in ruleset.templates.values() for name in used_by(source)}
    told = set()
    for name in ruleset.templates:
        family = name.rsplit(".", 2)[0]
        if name in referenced or name in BUILT_IN or family in told:
            continue
        where = Position(template_file(name), 1, 1)
        if not name.endswith(tuple(SUFFIXES.values())):
            text = f"`{name}` is no template of a family, and nothing includes it"
            note = f"a member is named NAME{', NAME'.join(SUFFIXES.values())}"
            yield Problem(where, text, (note,), "warning")
        elif family not in used:
            told.add(family)
            yield Problem(where, f"template `{family}` is used by no rule", (), "warning")


class _Rendering:
    """Renders every template for every trigger that can reach it, with all fields and without."""

    def __init__(
        self,
        draft: Draft,
        ruleset: Ruleset,
        broken: set[str],
        silent: set[str],
        new: dict[str, dict[str, Any]],
    ) -> None:
        """Templates that are `broken`, and rules with faults in their words, are told already.

        `new` are the fields that nobody knows and a rule's events have, by the rule's name.
        """
        self._new = new
        self._draft = draft
        self._broken = broken
        self._silent = silent
        self._templates = ruleset.templates
        self._renderer = Renderer(ruleset.templates, base_url="https://router.example")
        self._families = {*families(ruleset.templates), *families(BUILT_IN)}
        self._text = "\n".join(ruleset.templates.values())
        self._done: set[tuple[Any, ...]] = set()

    def problems(self) -> Iterator[Problem]:
        """Each fault once, with the first event that shows it: the next may show it just so."""
        told: set[tuple[Position, str]] = set()
        for problem in self._found():
            if (problem.position, problem.text) not in told:
                told.add((problem.position, problem.text))
                yield problem

    def _found(self) -> Iterator[Problem]:
        for rule, tree, path in self._draft.rules:
            if rule.name in self._silent:
                continue
            triggers = sorted(triggers_of(rule.when))
            mentioned = self._mentioned(rule)
            for target, kind, way in self._ways(rule):
                for trigger in triggers:
                    new = tuple(sorted(self._new[rule.name]))
                    key = (target.template or rule.template, rule.title, rule.body, kind, way, new)
                    if (*key, trigger) in self._done:
                        continue
                    self._done.add((*key, trigger))
                    found = self._try(rule, target, kind, way, trigger, mentioned)
                    if found is not None and found[0].template not in self._broken:
                        yield self._told(rule, tree, path, *found, trigger)

    def _ways(self, rule: Rule) -> Iterator[tuple[Target, Format, str]]:
        """Whom the rule tells, in which format, and on which occasions."""
        ways = ["digest of one", "digest"] if rule.digest is not None else ["once"]
        if rule.remind is not None:
            ways.append("reminder")
        told = [(target, way) for target in rule.targets for way in ways]
        told += [(target, "escalation") for step in rule.escalate for target in step.targets]
        for target, way in told:
            channel = self._draft.channels.get(target.channel)
            family = target.template or rule.template
            if family is not None and family not in self._families:
                continue
            for kind in _FORMATS[channel.service] if channel is not None else ():
                yield target, kind, way

    def _mentioned(self, rule: Rule) -> frozenset[str]:
        text = f"{self._text}{rule.title}{rule.body}"
        return frozenset(name for name in NULLABLE_FIELDS if name in text)

    def _try(
        self,
        rule: Rule,
        target: Target,
        kind: Format,
        way: str,
        trigger: str,
        mentioned: frozenset[str],
    ) -> tuple[TemplateFault, str] | None:
        for event, null in samples(trigger, mentioned, self._new[rule.name]):
            try:
                self._renderer.strict(
                    event=event,
                    rule=rule,
                    target=target,
                    channel=self._draft.channels[target.channel],
                    format=kind,
                    occasion=_occasion(way, event),
                )
            except TemplateFault as fault:
                return fault, null
        return None

    def _told(
        self, rule: Rule, tree: Tree, path: Path, fault: TemplateFault, null: str, trigger: str
    ) -> Problem:
        what = f"a `{trigger}` event" if trigger in TRIGGERS else "an event that is not known yet"
        note = f"tried with {what}, {null}"
        if fault.template.endswith(":"):  # the rule's own title or body
            at = (*path, fault.template.removesuffix(":"))
            return _fault_inline(rule, tree, at, fault, note)
        text = f"the template fails for rule `{rule.name}`: {fault.text}"
        if fault.template in self._templates:
            return Problem(_in_file(fault, self._templates), text, (note,))
        return Problem(tree.value((*path, "template")), text, (note,))


def _occasion(way: str, event: Event) -> Occasion:
    match way:
        case "digest of one":
            return Occasion(events=(event,), held=1)
        case "digest":
            return Occasion(events=(event, event))
        case "reminder":
            return Occasion(step=1)
        case "escalation":
            return Occasion(step=-1)
        case _:
            return ONCE


def _fault_inline(rule: Rule, tree: Tree, path: Path, fault: TemplateFault, *notes: str) -> Problem:
    where = tree.within(path, _word(fault.text))
    return Problem(where, f"rule `{rule.name}`: `{path[-1]}` fails: {fault.text}", notes)


def _fault_in_file(fault: TemplateFault, ruleset: Ruleset) -> Problem:
    return Problem(_in_file(fault, ruleset.templates), fault.text)


def _in_file(fault: TemplateFault, templates: Any) -> Position:
    """Where in a template's file: the word that the fault is about, or the line it is in."""
    number = fault.line or 1
    lines = templates.get(fault.template, "").splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    word = _word(fault.text)
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line) if word else None
    if found is None:
        start = len(line) - len(line.lstrip())
        length = max(1, len(line.strip()))
        return Position(template_file(fault.template), number, start + 1, length)
    return Position(template_file(fault.template), number, found.start() + 1, len(word))


def _word(text: str) -> str:
    """The first word of a fault that is code: what it is about."""
    found = re.search(r"`([^`]+)`", text)
    return found[1] if found else ""
