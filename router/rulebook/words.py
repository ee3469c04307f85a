"""Checking what rules say: templates that are not there, do not parse, or fail for an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.event import COMMON_FIELDS, NULLABLE_FIELDS, TRIGGERS, Event
from router.message import Format
from router.problem import Position, Problem, suggest
from router.render import BUILT_IN, ONCE, Occasion, Renderer, TemplateFault
from router.render.check import inspect, inspect_source, used_by
from router.render.family import families
from router.rulebook.files import template_file
from router.rulebook.reach import triggers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.rulebook.build import Draft
    from router.rulebook.tree import Path, Tree
    from router.rules import Rule, Ruleset, Target

_FORMATS: dict[str, tuple[Format, ...]] = {
    "slack": ("slack",),
    "email": ("html",),
    "teams": ("markdown",),
    "webhook": ("text",),
    "url": ("text", "markdown"),
}
_SAMPLES: dict[str, Any] = {
    "case_id": 42,
    "case_user_readable_id": "KYC-0042",
    "case_name": "Acme Corp",
    "case_url": "https://tenant.example/cases/42",
    "case_version": 7,
    "case_color": "green",
    "outcome_instance_id": 17,
    "process_key": "kyc_process",
    "previous_state_key": "in_review",
    "current_state_key": "approved",
    "transition_key": "approve",
    "document_keys": ["kyc_profile", "form_a"],
    "action": "generated",
}


def sample(trigger: str, *, null: bool) -> Event:
    """An event of a trigger with every field it carries; with `null`, as few as it may have."""
    names = (*COMMON_FIELDS, *TRIGGERS.get(trigger, ()))
    fields = {name: _SAMPLES.get(name) for name in names} | {"trigger": trigger}
    if null:
        fields = {name: None if name in NULLABLE_FIELDS else v for name, v in fields.items()}
    return Event(1, "source", 1_770_000_000.0, b"{}", fields)


def check_words(draft: Draft, ruleset: Ruleset, *, render: bool) -> list[Problem]:
    """Every problem of what the rules say."""
    problems = [_fault_in_file(fault) for fault in inspect(ruleset.templates)]
    for rule, tree, path in draft.rules:
        problems += _named(rule, tree, path, ruleset)
        problems += _inline(rule, tree, path)
    problems += _unused(ruleset)
    if render and not any(problem.severity == "error" for problem in problems):
        problems += _rendered(draft, ruleset)
    return problems


def _named(rule: Rule, tree: Tree, path: Path, ruleset: Ruleset) -> Iterator[Problem]:
    known = {*families(ruleset.templates), *families(BUILT_IN)}
    shown = [name for name in known if not name.startswith("_")]
    named = [(rule.template, tree.value((*path, "template")))]
    data = tree.data["rules"][path[-1]].get("notify")
    for number, item in enumerate(data if isinstance(data, list) else []):
        if isinstance(item, dict) and isinstance(item.get("template"), str):
            named.append((item["template"], tree.value((*path, "notify", number, "template"))))
    for name, where in named:
        if name is not None and name not in known:
            text = f"rule `{rule.name}` uses unknown template `{name}`"
            note = suggest(name, shown, "there are none; add files to the templates folder")
            yield Problem(where, text, (note,))


def _inline(rule: Rule, tree: Tree, path: Path) -> Iterator[Problem]:
    for key, source in (("title", rule.title), ("body", rule.body)):
        if source is not None:
            for fault in inspect_source(source, key):
                where = tree.value((*path, key))
                yield Problem(where, f"rule `{rule.name}`: `{key}` fails: {fault.text}")


def _unused(ruleset: Ruleset) -> Iterator[Problem]:
    used = {name for rule in ruleset.rules for name in _families_of(rule)}
    referenced = {name for source in ruleset.templates.values() for name in used_by(source)}
    told = set()
    for name in ruleset.templates:
        family = name.rsplit(".", 2)[0]
        if name in referenced or family in used or family in told:
            continue
        told.add(family)
        where = Position(template_file(name), 1, 1)
        yield Problem(where, f"template `{family}` is used by no rule", (), "warning")


def _families_of(rule: Rule) -> set[str]:
    return {name for name in (rule.template, *(t.template for t in rule.targets)) if name}


def _rendered(draft: Draft, ruleset: Ruleset) -> Iterator[Problem]:
    """Render every template for every trigger that can reach it, with all fields and with none."""
    renderer = Renderer(ruleset.templates, base_url="https://router.example")
    done: set[tuple[Any, ...]] = set()
    for rule, tree, path in draft.rules:
        triggers = triggers_of(rule.when) if rule.when is not None else frozenset(TRIGGERS)
        for target in (*rule.targets, *(t for step in rule.escalate for t in step.targets)):
            channel = ruleset.channels.get(target.channel)
            for kind in _FORMATS[channel.service] if channel is not None else ():
                own = (rule.title, rule.body, rule.digest is not None)
                key = (target.template or rule.template, *own, kind)
                for trigger in sorted(triggers):
                    if (*key, trigger) in done:
                        continue
                    done.add((*key, trigger))
                    fault = _try(renderer, rule, target, draft, kind, trigger)
                    if fault is not None:
                        yield _fault(rule, tree, path, fault, trigger)


def _try(
    renderer: Renderer, rule: Rule, target: Target, draft: Draft, kind: Format, trigger: str
) -> TemplateFault | None:
    for null in (False, True):
        event = sample(trigger, null=null)
        try:
            renderer.strict(
                event=event,
                rule=rule,
                target=target,
                channel=draft.channels[target.channel],
                format=kind,
                occasion=Occasion(events=(event, event)) if rule.digest is not None else ONCE,
            )
        except TemplateFault as fault:
            return fault
    return None


def _fault(rule: Rule, tree: Tree, path: Path, fault: TemplateFault, trigger: str) -> Problem:
    note = f"tried with a `{trigger}` event, with every field that may be null being null"
    if fault.template.endswith(":"):  # the rule's own title or body
        key = fault.template.removesuffix(":")
        where = tree.value((*path, key))
        return Problem(where, f"rule `{rule.name}`: `{key}` fails: {fault.text}", (note,))
    where = Position(template_file(fault.template), fault.line or 1, 1)
    if fault.template in BUILT_IN:
        where = tree.value((*path, "template"))
    return Problem(where, f"the template fails for rule `{rule.name}`: {fault.text}", (note,))


def _fault_in_file(fault: TemplateFault) -> Problem:
    return Problem(Position(template_file(fault.template), fault.line or 1, 1), fault.text)
