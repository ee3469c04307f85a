"""Rendering: template and event -> a message, safe for the channel's format. The only Jinja."""

from router.render.check import closure
from router.render.expression import ExpressionSyntax, compile_expression, names_in
from router.render.facts import ONCE, Occasion
from router.render.faults import TemplateFault
from router.render.render import BUILT_IN, Renderer

__all__ = [
    "BUILT_IN",
    "ONCE",
    "ExpressionSyntax",
    "Occasion",
    "Renderer",
    "TemplateFault",
    "closure",
    "compile_expression",
    "names_in",
]
