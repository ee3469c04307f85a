"""YAML as data with positions, read strictly: nothing is guessed and nothing silently dropped.

Scalars are YAML 1.2's: only `true` and `false` are booleans, dates are texts. What YAML 1.1 would
misread (`no`, `010`, `12:30`, `1_000`), a key that stands twice, and documents that unfold into
very many values are problems.
"""

from __future__ import annotations

import gc
import re
from typing import Any, TypeAlias

import yaml

from router.problem import Position, Problem
from router.rulebook.unreadable import unreadable

Path: TypeAlias = tuple[str | int, ...]

LARGEST = 1024 * 1024
DEEPEST = 40
MOST_VALUES = 200_000
MOST_ALIASED = 20_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(
    r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[-+]?[0-9]+[eE][-+]?[0-9]{1,2}"
)
_TRAPS = (
    (re.compile(r"yes|no|on|off|y|n", re.I), "some readers take it for true or false"),
    (re.compile(r"[-+]?\d+(?::[0-5]?\d)+"), "some readers take it for a number of seconds"),
    (re.compile(r"[-+]?0\d+|0o[0-7_]+"), "some readers take it for an octal number"),
    (re.compile(r"[-+]?0[xb][0-9a-fA-F_]+"), "some readers take it for a number written otherwise"),
    (re.compile(r"[-+]?\d[\d_]*_\d[\d_]*"), "some readers drop the underscores"),
    (re.compile(r"[-+]?\.(?:inf|nan)", re.I), "it is no number that can be compared"),
)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Tree:
    """One file's data, where each part of it stands, and what is wrong with it as YAML."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: Any = None
        self.problems: list[Problem] = []
        self.spans: dict[Path, tuple[int, int]] = {}
        self.literal_secrets: list[Path] = []
        self.misread: set[Path] = set()
        self.text = ""
        self._values: dict[Path, Position] = {}
        self._keys: dict[Path, Position] = {}

    def value(self, path: Path) -> Position:
        """Where a value stands, or the nearest thing around it."""
        while path not in self._values and path:
            path = path[:-1]
        return self._values.get(path, Position(self.file, 1, 1))

    def has(self, path: Path) -> bool:
        """Whether something stands there."""
        return path in self._values

    def key(self, path: Path) -> Position:
        """Where the key of a value stands."""
        return self._keys.get(path) or self.value(path)

    def within(self, path: Path, word: str) -> Position:
        """Where a word of a value stands, or the value where it is not written so."""
        where = self.value(path)
        start, end = self.spans.get(path, (0, 0))
        written = self.text[start:end]
        edges = (r"(?<!\w)" if word[:1].isalnum() else "", r"(?!\w)" if word[-1:].isalnum() else "")
        found = re.search(f"{edges[0]}{re.escape(word)}{edges[1]}", written) if word else None
        if found is None:
            return where
        at = start + found.start()
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return Position(self.file, line, column, len(word))

    def tell(self, position: Position, text: str, *notes: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(position, text, notes))


def parse(text: str, file: str) -> Tree:
    """Read one YAML document; what cannot be read is a problem, never an exception."""
    tree = Tree(file)
    tree.text = text
    if len(text) > LARGEST:
        tree.tell(Position(file, 1, 1), "the file is larger than 1 MiB")
        return tree
    collecting = gc.isenabled()
    gc.disable()  # many small objects that all stay: collecting would double the time
    try:
        nodes = list(_documents(text))
        if len(nodes) > 1:
            tree.tell(_position(file, nodes[1]), "a second document begins here; one is all")
        elif nodes and nodes[0] is not None:
            tree.data = _Reader(tree).read(nodes[0], (), 0)
    except yaml.MarkedYAMLError as error:
        line, column, words, notes = unreadable(error, text)
        tree.tell(Position(file, line, column), words, *notes)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        tree.tell(Position(file, line, 1), "a character stands here that YAML does not allow")
    except yaml.YAMLError:
        tree.tell(Position(file, 1, 1), "this is not YAML")
    except _TooMuch as error:
        tree.data = None
        where, words = error.args
        tree.tell(where, words)
    except RecursionError:
        tree.data = None
        tree.tell(Position(file, 1, 1), "the file is nested too deeply")
    finally:
        if collecting:
            gc.enable()
    return tree


def _documents(text: str) -> list[Any]:
    loader = _Loader(text)
    nodes: list[Any] = []
    try:
        while loader.check_node() and len(nodes) < 2:
            nodes.append(loader.get_node())
    finally:
        loader.dispose()
    return nodes


_EXCLAMATION = "a text that begins with `!` needs quotes; what is not so is written `{ not: ... }`"


class _TooMuch(Exception):
    """What is more than a rules file may hold: where, and in which words."""


class _Reader:
    """Turns nodes into data, noting where each stands."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._count = 0
        self._aliased = 0
        self._open: set[int] = set()
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, path: Path, depth: int) -> Any:
        tree = self._tree
        self._count += 1
        if depth > DEEPEST:
            raise _TooMuch(_position(tree.file, node), f"this is nested more than {DEEPEST} deep")
        if id(node) in self._open:
            raise _TooMuch(_position(tree.file, node), "an alias stands inside what it names")
        if id(node) in self._seen:
            self._aliased += 1
        self._seen.add(id(node))
        if self._aliased > MOST_ALIASED or self._count > MOST_VALUES:
            words = "the file unfolds into too many values: aliases of aliases, of this one too"
            if self._aliased <= MOST_ALIASED:
                words = f"the file holds more than {MOST_VALUES} values; split it with `include`"
            raise _TooMuch(_position(tree.file, node), words)
        tree._values[path] = _position(tree.file, node)  # noqa: SLF001 - the tree is ours to fill
        tree.spans[path] = (node.start_mark.index, node.end_mark.index)
        if node.tag.startswith("!") or "python" in node.tag:
            tree.misread.add(path)
            tree.tell(tree.value(path), "a tag stands here; write the plain value", _EXCLAMATION)
            return None
        if isinstance(node, yaml.MappingNode):
            self._open.add(id(node))
            found: Any = self._mapping(node, path, depth)
            self._open.discard(id(node))
            return found
        if isinstance(node, yaml.SequenceNode):
            self._open.add(id(node))
            items = [self.read(item, (*path, n), depth + 1) for n, item in enumerate(node.value)]
            self._open.discard(id(node))
            return items
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        tree = self._tree
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = _position(tree.file, key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._no_key(key_node, node, path)
                continue
            key = key_node.value
            if not key_node.style:
                self._trap(key, where)
            if key == "<<":
                tree.tell(where, "`<<` is not supported; write the keys out")
                continue
            if key in found:
                first = tree.key((*path, key))
                note = f"it stands in line {first.line} already; only one can count"
                tree.tell(where, f"`{_clip(key)}` stands here a second time", note)
                continue
            tree._keys[*path, key] = where  # noqa: SLF001 - the tree is ours to fill
            found[key] = self.read(value_node, (*path, key), depth + 1)
        return found

    def _no_key(self, key: yaml.Node, node: yaml.Node, path: Path) -> None:
        """A mapping as a key: what YAML makes of a template's braces without quotes."""
        tree = self._tree
        if tree.text.startswith("{{", node.start_mark.index) and isinstance(key, yaml.MappingNode):
            tree.misread.add(path)
            text = "a text with `{{` needs quotes: YAML takes it for a mapping"
            tree.tell(tree.value(path), text)
        else:
            tree.tell(_position(tree.file, key), "a key is a plain word")

    def _scalar(self, node: Any, path: Path) -> Any:
        text = str(node.value)
        if node.style:  # quoted, or a block
            return text
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if self._trap(text, self._tree.value(path)):
            self._tree.misread.add(path)
        return text

    def _trap(self, text: str, where: Position) -> bool:
        """Whether readers of YAML differ about a word; then it is told."""
        for pattern, why in _TRAPS:
            if pattern.fullmatch(text):
                self._tree.tell(where, f"`{_clip(text)}` needs quotes: {why}")
                return True
        return False


def _position(file: str, node: yaml.Node) -> Position:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Position(file, start.line + 1, start.column + 1, max(1, length))


def _clip(text: str) -> str:
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= 60 else shown[:59] + "\u2026"
