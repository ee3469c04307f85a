"""The graph: who is told what, drawn so that it may stand on any page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from router.delivery import inspect
from router.graph import Counts, Graph, dot, graph_of, mermaid, svg
from router.rulebook import Files, build
from router.rules import Channel, Rule, Ruleset, Source, Target

RULES = """
version: 1
sources: { bank: { secret: "${S}" }, shop: { secret: "${S}" } }
channels:
  team: { webhook: { url: http://127.0.0.1:9/ }, fallback: desk }
  desk: { webhook: { url: http://127.0.0.1:9/ } }
  head: { webhook: { url: http://127.0.0.1:9/ }, paused: true }
groups: { both: [team, desk] }
rules:
  - { name: approved, when: { trigger: case_approved, source: bank }, notify: both }
  - name: not bank
    when: { any: [{ not: { source: bank } }, { all: [{ source: shop }] }] }
    notify: team
  - { name: resting, when: always, enabled: false, notify: team }
  - name: stuck
    when: { trigger: case_state_changed, current_state_key: in_review }
    after: 1h
    unless: { trigger: case_state_changed }
    escalate: [{ after: 2h, notify: [head, team] }]
    notify: team
  - { name: rest, otherwise: true, notify: desk }
watch: [{ silent_source: any, for: 1h, notify: desk }]
"""


def made(counts: Counts | None = None) -> Graph:
    files = Files("rules.yaml", {"rules.yaml": RULES}, {}, {})
    found = build(
        files,
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    assert found.ruleset is not None, found.problems
    return graph_of(found.ruleset, counts)


def links(graph: Graph) -> set[tuple[str, str, str]]:
    return {(link.start.name, link.end.name, link.word) for link in graph.links}


def test_a_rule_hears_only_sources_that_its_conditions_leave_open() -> None:
    found = links(made())
    assert ("bank", "approved", "") in found
    assert ("shop", "approved", "") not in found
    assert ("shop", "not bank", "") in found
    assert ("bank", "not bank", "") not in found
    assert ("bank", "rest", "") in found


def test_groups_are_resolved_and_what_is_told_only_sometimes_says_so() -> None:
    found = links(made())
    assert {("approved", "team", ""), ("approved", "desk", "")} <= found
    assert ("stuck", "head", "escalation") in found
    assert ("stuck", "team", "escalation") not in found  # it is told anyway
    assert ("team", "desk", "fallback") in found
    assert ("the router itself", "watch: silent_source", "") in found
    words = {node.name: node.word for node in (*made().rules, *made().channels)}
    assert (words["resting"], words["rest"], words["head"]) == ("parked", "otherwise", "paused")


def test_counts_stand_at_what_they_count() -> None:
    counts = Counts({"bank": 12_345}, {("bank", "approved"): 9}, {("approved", "team"): 8})
    graph = made(counts)
    numbers = {(link.start.name, link.end.name): link.number for link in graph.links}
    assert numbers["bank", "approved"] == 9
    assert numbers["approved", "team"] == 8
    assert numbers["approved", "desk"] == 0
    picture = svg(graph)
    assert "12,345" in picture
    assert "approved \u2192 team: 8" in picture
    assert '|"9"| r0' in mermaid(graph)
    assert "(12345)" in dot(graph)


def test_the_picture_may_stand_on_a_page_with_a_strict_policy() -> None:
    picture = svg(made())
    for element in ElementTree.fromstring(picture).iter():
        assert not {"style", "href", "onclick"} & set(element.attrib)
        name = element.tag.rpartition("}")[2]
        assert name in ("svg", "g", "path", "rect", "text", "tspan", "title")
    assert "currentColor" in picture
    assert not re.search(r"#[0-9a-f]{3}", picture)


def ruleset(names: list[str], channel: str = "c") -> Ruleset:
    told = (Target(channel),)
    rules = tuple(Rule(name=name, when=None, targets=told) for name in names)
    return Ruleset(
        hash="h",
        sources={"s": Source("s", ())},
        channels={channel: Channel(name=channel, service="url", options={})},
        rules=rules,
        templates={},
        files={},
    )


@given(st.text(min_size=1), st.text(min_size=1))
@settings(max_examples=60, deadline=None)
def test_any_name_is_drawn_and_breaks_nothing(rule: str, channel: str) -> None:
    graph = graph_of(ruleset([rule], channel))
    root = ElementTree.fromstring(svg(graph).encode("utf-8", "surrogatepass"))
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {
        *("svg", "g", "path", "rect", "text", "tspan", "title")
    }
    for line in mermaid(graph).splitlines()[1:-1]:
        assert re.fullmatch(r' +([src]0[(\[/]+"[^"<>`]*"[)\]/]+|[src]0 -+> [src]0)', line)
    for line in dot(graph).splitlines()[3:-1]:
        text = r'"(?:[^"\\]|\\\\|\\")*"'
        assert re.fullmatch(rf"  [src]0( -> [src]0)? \[label={text}(, style=[a-z]+)?\];", line)


def test_two_hundred_rules_are_drawn_apart() -> None:
    picture = svg(graph_of(ruleset([f"rule {n}" for n in range(200)])))
    root = ElementTree.fromstring(picture)
    heights = [float(e.attrib["y"]) for e in root.iter() if e.tag.endswith("rect")]
    assert len(set(heights)) >= 200
    total = float(root.attrib["height"])
    assert max(heights) < total
