"""A graph as text that other tools draw: Mermaid (in Markdown) and DOT (Graphviz)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.graph.graph import Graph, Link, Node

_ENTITIES = str.maketrans(
    {sign: f"#{ord(sign)};" for sign in '"#&<>`\\|[]{}()*_~:/@'}  # what Mermaid gives a meaning
)


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    ids = dict(_ids(graph))
    lines = ["flowchart LR"]
    for node, name in ids.items():
        shape = {"source": '(["{}"])', "rule": '["{}"]', "channel": '[/"{}"/]'}[node.kind]
        parked = ":::parked" if node.word == "parked" else ""
        lines.append(f"  {name}{shape.format(_label(node).translate(_ENTITIES))}{parked}")
    for link in graph.links:
        label = _link_label(link).translate(_ENTITIES)
        arrow = "-->" if link.sure else "-.->"
        told = f'|"{label}"|' if label else ""
        lines.append(f"  {ids[link.start]} {arrow}{told} {ids[link.end]}")
    lines.append("  classDef parked stroke-dasharray: 4 3")
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """The graph in Graphviz' language."""
    ids = dict(_ids(graph))
    lines = ["digraph rules {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node, name in ids.items():
        style = "dashed" if node.word == "parked" else "solid" if node.kind == "rule" else "rounded"
        lines.append(f"  {name} [label={_quoted(_label(node))}, style={style}];")
    for link in graph.links:
        style = "" if link.sure else ", style=dashed"
        lines.append(
            f"  {ids[link.start]} -> {ids[link.end]} [label={_quoted(_link_label(link))}{style}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def _ids(graph: Graph) -> Iterator[tuple[Node, str]]:
    for letter, nodes in (("s", graph.sources), ("r", graph.rules), ("c", graph.channels)):
        yield from ((node, f"{letter}{number}") for number, node in enumerate(nodes))


def _label(node: Node) -> str:
    extra = [word for word in (node.word, "" if node.number is None else str(node.number)) if word]
    name = _line(node.name)
    return f"{name} ({', '.join(extra)})" if extra else name


def _link_label(link: Link) -> str:
    return " ".join(
        word for word in (link.word, "" if link.number is None else str(link.number)) if word
    )


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
