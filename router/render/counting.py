"""What is written into every template as it is read, so that it pays for what it does."""

from __future__ import annotations

import math

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.visitor import NodeTransformer

# Names of filters that no template can write.
STEP = "each step"
CONCAT = "concat"
WEIGH = "weigh"
FETCH = "fetch"
STATIC = 64
"""Characters of a loop's own text that cost a step in each round."""


class Counting(NodeTransformer):
    """Makes every loop count its rounds; weighs what is written as a list, joined by `~`, or
    compared; and lets what is included be paid for."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        steps = nodes.Const(1 + _static(node.body) // STATIC, lineno=node.lineno)
        node.iter = _call(node.iter, STEP, steps)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno, environment=node.environment)
        return _filter(parts, CONCAT)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filter(node, WEIGH)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filter(node, WEIGH)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filter(node, WEIGH) if node.ctx == "load" else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.expr = _filter(node.expr, WEIGH)
        for operand in node.ops:
            operand.expr = _filter(operand.expr, WEIGH)
        return node

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802 - Jinja's name
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise TemplateSyntaxError("a number is too large", node.lineno)
        return node

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802 - Jinja's name
        return self._paid(node)

    def visit_Import(self, node: nodes.Import) -> list[nodes.Node]:  # noqa: N802 - Jinja's name
        return self._paid(node)

    def visit_FromImport(self, node: nodes.FromImport) -> list[nodes.Node]:  # noqa: N802
        return self._paid(node)

    def _paid(self, node: nodes.Include | nodes.Import | nodes.FromImport) -> list[nodes.Node]:
        self.generic_visit(node)
        fetched = _call(node.template, FETCH)
        return [nodes.ExprStmt(fetched, lineno=node.lineno, environment=node.environment), node]


def _filter(node: nodes.Expr, name: str) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _call(node, name)


def _call(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(
        node,
        name,
        list(arguments),
        [],
        None,
        None,
        lineno=node.lineno,
        environment=node.environment,
    )


def _static(body: list[nodes.Node]) -> int:
    """Characters of a loop's own text; loops in it pay for theirs."""
    size = 0
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.TemplateData):
            size += len(node.data)
        elif not isinstance(node, nodes.For):
            waiting.extend(node.iter_child_nodes())
    return size
