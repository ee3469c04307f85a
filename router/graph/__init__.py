"""The graph of a ruleset: source -> rule -> channel, drawn as SVG, Mermaid or DOT. Pure."""

from router.graph.graph import Counts, Graph, Link, Node, graph_of
from router.graph.svg import svg
from router.graph.text import dot, mermaid

__all__ = ["Counts", "Graph", "Link", "Node", "dot", "graph_of", "mermaid", "svg"]
