"""A graph as SVG: three columns and curves between them.

It has no script, no style and no address, so that it may stand inline on a page with a strict
Content-Security-Policy; its colour is the text's around it, and its classes begin with `graph`.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.graph.graph import Graph, Link, Node

ROW = 34
BOX = 26
GAP = 170
"""Between two columns."""
HEAD = 34
EDGE = 12
SIDE = 46
"""Room beside the channels for the arcs to their fallbacks."""
WIDE = 7.4
"""How wide a character is at most, on the average, at the size that is used."""
LONGEST = 40


class _Box(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.y + BOX / 2


def svg(graph: Graph) -> str:
    """The graph as one `<svg>` element; everything in it is escaped."""
    boxes, width, height = _places(graph)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img"'
        f' viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        head,
        f"<title>{escape(_summary(graph))}</title>",
        *_heads(graph, boxes),
        '<g class="graph-links" fill="none" stroke="currentColor">',
        *(_link(link, boxes, graph.counted) for link in graph.links),
        "</g>",
        '<g class="graph-nodes">',
        *(_node(node, box) for node, box in boxes.items()),
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


def _places(graph: Graph) -> tuple[dict[Node, _Box], float, float]:
    columns = (graph.sources, graph.rules, graph.channels)
    rows = max(map(len, columns))
    rule_y = {node: float(at) for at, node in enumerate(graph.rules)}
    boxes: dict[Node, _Box] = {}
    x = float(EDGE)
    for nodes in columns:
        width = max((_width(node) for node in nodes), default=60.0)
        wished = rule_y if nodes is graph.rules else _wished(nodes, graph.links, rule_y)
        for node, row in _spread(wished, rows):
            boxes[node] = _Box(x, HEAD + row * ROW, width)
        x += width + GAP
    return boxes, x - GAP + EDGE + SIDE, HEAD + max(1, rows) * ROW + EDGE


def _wished(
    nodes: Sequence[Node], links: Sequence[Link], rule_y: dict[Node, float]
) -> dict[Node, float]:
    """In which row a node would like to be: in the middle of the rules it belongs to."""
    beside: dict[Node, list[float]] = {node: [] for node in nodes}
    for link in links:
        for node, rule in ((link.start, link.end), (link.end, link.start)):
            if node in beside and rule in rule_y:
                beside[node].append(rule_y[rule])
    last = float(len(rule_y))
    return {node: sum(rows) / len(rows) if rows else last for node, rows in beside.items()}


def _spread(wished: dict[Node, float], rows: int) -> list[tuple[Node, float]]:
    """A row for each, near to what it wishes and at least one apart."""
    ordered = sorted(wished, key=lambda node: wished[node])
    placed: list[float] = []
    for node in ordered:
        placed.append(max(wished[node], placed[-1] + 1 if placed else 0.0))
    limit = float(rows)
    for at in range(len(placed) - 1, -1, -1):
        limit = placed[at] = min(placed[at], limit - 1)
    return list(zip(ordered, placed, strict=True))


def _heads(graph: Graph, boxes: dict[Node, _Box]) -> Iterator[str]:
    columns = (("Sources", graph.sources), ("Rules", graph.rules), ("Channels", graph.channels))
    for title, nodes in columns:
        if nodes:
            x = boxes[nodes[0]].x
            yield (
                f'<text class="graph-head" x="{x:g}" y="20" fill="currentColor"'
                f' fill-opacity="0.7" font-weight="600">{title}</text>'
            )


def _link(link: Link, boxes: dict[Node, _Box], counted: bool) -> str:
    start, end = boxes[link.start], boxes[link.end]
    x1, y1, x2, y2 = start.right, start.middle, end.x, end.middle
    if link.start.kind == "channel":
        bulge = start.right + SIDE
        path = f"M{x1:g} {y1:g}C{bulge:g} {y1:g} {bulge:g} {y2:g} {end.right:g} {y2:g}"
    else:
        half = (x1 + x2) / 2
        path = f"M{x1:g} {y1:g}C{half:g} {y1:g} {half:g} {y2:g} {x2:g} {y2:g}"
    parked = "parked" in (link.start.word, link.end.word)
    faint = parked or link.number == 0
    dashes = "" if link.sure and not parked else ' stroke-dasharray="5 4"'
    strength = "0.25" if faint else "0.55"
    thick = 1.3 if not link.number else min(6.0, 1.3 + math.log10(link.number))
    kind = "graph-link graph-quiet" if faint else "graph-link"
    title = f"{link.start.name} \u2192 {link.end.name}"
    if link.word:
        title += f", {link.word}"
    if counted and link.number is not None:
        title += f": {link.number:,}"
    return (
        f'<path class="{kind}" d="{path}" stroke-width="{thick:.2g}" stroke-opacity="{strength}"'
        f"{dashes}><title>{_safe(title)}</title></path>"
    )


def _node(node: Node, box: _Box) -> str:
    parked = node.word == "parked"
    dashes = ' stroke-dasharray="4 3"' if parked else ""
    fill = {"source": "0.04", "rule": "0.08", "channel": "0.04"}[node.kind]
    round_ = 4 if node.kind == "rule" else BOX / 2
    dim = ' opacity="0.6"' if parked else ""
    kind = f"graph-node graph-{node.kind}"
    name, extra = _shown(node.name), _extra(node)
    label = f'<text x="{box.x + 12:g}" y="{box.middle + 4.5:g}" fill="currentColor">{_safe(name)}'
    if extra:
        label += f'<tspan dx="8" fill-opacity="0.65" font-size="11">{escape(extra)}</tspan>'
    return (
        f'<g class="{kind}"{dim}><title>{_safe(node.name)}{escape(_told(node))}</title>'
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{BOX}" rx="{round_:g}"'
        f' fill="currentColor" fill-opacity="{fill}" stroke="currentColor"'
        f' stroke-opacity="0.5"{dashes}/>{label}</text></g>'
    )


def _extra(node: Node) -> str:
    told = [node.word, "" if node.number is None else f"{node.number:,}"]
    return " \u00b7 ".join(word for word in told if word)


def _told(node: Node) -> str:
    extra = _extra(node)
    return f" ({extra})" if extra else ""


def _summary(graph: Graph) -> str:
    numbers = (len(graph.sources), len(graph.rules), len(graph.channels))
    return "Who is told what: {} sources, {} rules, {} channels".format(*numbers)


def _width(node: Node) -> float:
    extra = _extra(node)
    return 24 + _columns(_shown(node.name)) * WIDE + (8 + len(extra) * 6.4 if extra else 0)


def _shown(name: str) -> str:
    """A name that fits into its box; the whole one is its title."""
    if _columns(name) <= LONGEST:
        return name
    kept = ""
    for char in name:
        if _columns(kept + char) >= LONGEST:
            break
        kept += char
    return kept + "\u2026"


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _safe(text: str) -> str:
    """Escaped, without what XML cannot hold."""
    return escape("".join(char if char.isprintable() else "\ufffd" for char in text))
