"""The templates of one ruleset, compiled when they are first asked for, and run within bounds."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import nodes as n

from router.render.escape import KINDS, Kind
from router.render.faults import FAULTS, TemplateFault, fault_of
from router.render.limits import LONGEST
from router.render.sandbox import Sandbox, Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Template
    from jinja2.runtime import Context

_EXTEND = 5
_EXTENDS = re.compile(r"""\{%-?\s*(?:extends|include)\s*["']([^"']+)["']""")


class _Compiled(msgspec.Struct, frozen=True):
    """A template, those it extends, and whether anything stands beside its blocks."""

    chain: tuple[Template, ...]
    has_setup: bool


class Templates:
    """Templates by file name, each in an environment per kind of words. Threads may share it.

    Whatever goes wrong in a template is a TemplateFault.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        loader = Sources(sources)
        self._sandboxes: dict[Kind, Sandbox] = {kind: Sandbox(kind, loader) for kind in KINDS}
        self._compiled: dict[tuple[Kind, str], _Compiled] = {}
        self._lock = threading.Lock()

    def source(self, name: str) -> str:
        """The text of a template, and of those it extends."""
        texts = [self._sources[name]]
        while (found := _EXTENDS.search(texts[-1])) and found[1] in self._sources:
            if len(texts) > _EXTEND:
                break
            texts.append(self._sources[found[1]])
        return "".join(texts)

    def extends(self, kind: Kind, name: str) -> bool:
        """Whether a template extends another."""
        return len(self._get(kind, name).chain) > 1

    def has_block(self, kind: Kind, name: str, block: str) -> bool:
        """Whether a template itself has a block."""
        return block in self._get(kind, name).chain[0].blocks

    def whole(self, kind: Kind, name: str, given: dict[str, Any]) -> str:
        """All that a template says."""
        template = self._get(kind, name).chain[0]
        return self._run(kind, name, template.root_render_func(template.new_context(given)))

    def text(self, kind: Kind, name: str, source: str, given: dict[str, Any]) -> str:
        """What a template says that stands elsewhere, under a name for its faults."""
        key = (kind, f"\0{source}")
        compiled = self._compiled.get(key)
        if compiled is None:
            try:
                compiled = _Compiled((self._sandboxes[kind].from_string(source),), False)
            except FAULTS as error:
                raise fault_of(error, name) from None
            self._compiled[key] = compiled
        template = compiled.chain[0]
        try:
            return self._run(kind, name, template.root_render_func(template.new_context(given)))
        except TemplateFault as fault:
            raise TemplateFault(name, fault.line, fault.text) from None

    def block(self, kind: Kind, name: str, block: str, given: dict[str, Any]) -> str | None:
        """What one block of a template says, its own or one it inherits; None if there is none."""
        compiled = self._get(kind, name)
        template = compiled.chain[0]
        context: Context = template.new_context(given)
        if compiled.has_setup:
            # What stands beside the blocks (imports, macros, values) must run before them; for a
            # template that extends, this names the parents' blocks too.
            self._run(kind, name, template.root_render_func(context))
        else:
            for parent in compiled.chain[1:]:
                for other, function in parent.blocks.items():
                    context.blocks.setdefault(other, []).append(function)
        found = context.blocks.get(block)
        return self._run(kind, name, found[0](context)) if found else None

    def _run(self, kind: Kind, name: str, pieces: Iterable[str]) -> str:
        self._sandboxes[kind].budget.start()
        made: list[str] = []
        size = 0
        try:
            for piece in pieces:
                made.append(piece)
                size += len(piece)
                if size > LONGEST:
                    raise TemplateFault(name, None, f"it makes over {LONGEST} characters")
        except FAULTS as error:
            line_of = self._sandboxes[kind].line_of
            raise fault_of(error, name, self._sources, line_of) from None
        return "".join(made)

    def _get(self, kind: Kind, name: str) -> _Compiled:
        found = self._compiled.get((kind, name))
        if found is None:
            with self._lock:
                found = self._compile(kind, name)
                self._compiled[kind, name] = found
        return found

    def _compile(self, kind: Kind, name: str) -> _Compiled:
        sandbox = self._sandboxes[kind]
        chain: list[Template] = []
        has_setup = False
        at: str | None = name
        try:
            while at is not None:
                if len(chain) > _EXTEND:
                    raise TemplateFault(name, None, "it extends too many others, or itself")
                chain.append(sandbox.get_template(at))
                parent, setup = _outside_blocks(self._sources[at], at)
                has_setup = has_setup or setup
                at = parent
        except FAULTS as error:
            raise fault_of(error, name, self._sources) from None
        return _Compiled(tuple(chain), has_setup)


_parser = Sandbox("text")


@lru_cache(maxsize=500)
def _outside_blocks(source: str, name: str) -> tuple[str | None, bool]:
    """Which template this one extends, and whether statements stand beside its blocks."""
    tree = _parser.parse(source, name)
    parent = None
    setup = False
    for node in tree.body:
        if isinstance(node, n.Extends):
            if not isinstance(node.template, n.Const):
                raise TemplateFault(
                    "", node.lineno, "`extends` needs the name of a template in quotes"
                )
            parent = str(node.template.value)
        elif not isinstance(node, n.Block | n.Output):
            setup = True
    return parent, setup
