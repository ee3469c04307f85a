"""The environment that templates and expressions run in: what they can name, and nothing else."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from types import CodeType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import BaseLoader, Environment, StrictUndefined, Undefined, nodes
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.exceptions import FilterArgumentError, SecurityError, TemplateNotFound
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from router.render.escape import Kind, clean, escaper, words_of
from router.render.limits import Budget, bounded, operate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2.runtime import Context

FILTERS = (
    "abs batch capitalize count dictsort first float groupby int items last length list"
    " lower map max min reject rejectattr reverse round select selectattr slice sort sum"
    " title trim truncate unique upper"
).split()
TESTS = (
    "boolean defined divisibleby eq equalto even false float ge gt in integer iterable le lower"
    " lt mapping ne none number odd sequence string true undefined upper == != > >= < <="
).split()
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        (
            "lower upper title capitalize strip lstrip rstrip split startswith endswith count"
            " find removeprefix removesuffix isdigit isalpha isalnum casefold"
        ).split()
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    datetime: frozenset({"year", "month", "day", "hour", "minute", "second", "date", "isoformat"}),
}
_LOOP = frozenset("index index0 revindex revindex0 first last length depth depth0 cycle".split())
_SHORT = frozenset({"kyc", "aml", "cdd", "edd", "pep", "id", "crs", "fatca", "sow"})
_DATE = re.compile(r"(?:%-?[aAbBdeHIjmMpSyYZz%]|[^%])*")


class Sources(BaseLoader):
    """Templates by file name; a traceback names the same file."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in self._texts:
            raise TemplateNotFound(template)
        return self._texts[template], template, None


class Remembered(BytecodeCache):
    """What templates were compiled to, by their text: rules are built again and again (when they
    change, when they are tried), mostly from the same templates."""

    MOST = 1000

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = _compiled.get((self._kind, bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is None:
            return
        with _compiling:
            _compiled[self._kind, bucket.key, bucket.checksum] = bucket.code
            while len(_compiled) > self.MOST:
                _compiled.pop(next(iter(_compiled)))


_compiling = threading.Lock()
_compiled: dict[tuple[Kind, str, str], CodeType] = {}


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one kind of words; every value that is printed is made safe for it."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, kind: Kind, loader: BaseLoader | None = None) -> None:
        self.budget = Budget()
        self.finish = escaper(kind)
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=True,
            finalize=self.finish,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            cache_size=-1,
            auto_reload=False,
            bytecode_cache=Remembered(kind),
        )
        self.globals.clear()
        charged = self.budget.charged
        self.filters = {name: charged(JINJA_FILTERS[name]) for name in FILTERS}
        own: dict[str, Callable[..., Any]] = {
            "join": self._join,
            "replace": _replace,
            "humanize": humanize,
            "date": date,
            "default": _default,
            "d": _default,
        }
        self.filters |= {name: charged(function) for name, function in own.items()}
        self.filters |= {"e": self.finish, "escape": self.finish, "string": clean}
        self.filters["lines"] = self._lines
        self.filters[_STEP] = self.budget.each
        self.filters[_CONCAT] = self._concat
        self.tests = {name: JINJA_TESTS[name] for name in TESTS}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if attr.startswith("_"):
            return False
        for kind, allowed in _METHODS.items():
            if isinstance(obj, kind):
                # A name that is no method of the object is looked up as an item by Jinja.
                return attr in allowed
        if type(obj).__name__ in ("LoopContext", "Macro", "TemplateReference", "TemplateModule"):
            return attr in _LOOP or type(obj).__name__ != "LoopContext"
        return False

    def wrap_str_format(self, value: Any) -> Any:
        if getattr(value, "__name__", "") in ("format", "format_map"):
            raise SecurityError("a text has no `format` here")
        return None

    def line_of(self, name: str, compiled_line: int) -> int:
        """The line of a template that a line of its compiled code came from."""
        return self.get_template(name).get_corresponding_lineno(compiled_line)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        usual = self.default_binop_table[operator]
        return operate(operator, left, right, usual)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        budget = __self.budget
        budget.spend()
        budget.enter()
        try:
            return bounded(super().call(__context, __obj, *args, **kwargs))
        finally:
            budget.leave()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        return _Counting().visit(tree)  # type: ignore[no-any-return]

    def _join(self, items: Any, between: str = "", attribute: str | None = None) -> Any:
        found = [item[attribute] if attribute else item for item in items]
        return self._concat(_between(found, between))

    def _concat(self, parts: Any) -> Any:
        parts = list(parts)
        if any(isinstance(part, Markup) for part in parts):
            return bounded(Markup("").join(self.finish(part) for part in parts))
        return bounded("".join(map(words_of, parts)))

    def _lines(self, value: Any) -> Markup:
        """A text of several lines, each made safe, with breaks between them (HTML)."""
        return Markup("<br>\n").join(self.finish(line) for line in str(value).splitlines())


_STEP = "each step"
_CONCAT = "concat"


class _Counting(NodeTransformer):
    """Makes every loop count its rounds, and every `~` look at what it makes."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.iter = nodes.Filter(
            node.iter, _STEP, [], [], None, None, lineno=node.lineno, environment=node.environment
        )
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno, environment=node.environment)
        return nodes.Filter(
            parts, _CONCAT, [], [], None, None, lineno=node.lineno, environment=node.environment
        )


def humanize(value: Any) -> str:
    """A key for readers: `in_review` is `In review`, `kyc_x` is `KYC x`; null is nothing."""
    words = clean(value).replace("_", " ").split()
    text = " ".join(word.upper() if word in _SHORT else word for word in words)
    return text[:1].upper() + text[1:]


def date(value: Any, form: str = "%d.%m.%Y %H:%M", timezone: str = "UTC") -> str:
    """A moment in a form (`%Y-%m-%d`) and a time zone (`Europe/Zurich`)."""
    if not isinstance(value, datetime):
        raise FilterArgumentError("`date` shapes a moment, like `received_at`")
    if len(form) > 100 or not _DATE.fullmatch(form):
        raise FilterArgumentError(f"`{form}` is no form of a date")
    try:
        return value.astimezone(ZoneInfo(timezone)).strftime(form)
    except (ZoneInfoNotFoundError, ValueError):
        raise FilterArgumentError(f"`{timezone}` is no time zone") from None


def _default(value: Any, instead: Any = "", *_: Any) -> Any:
    """The value, or something else where it is not there or null (which it often is)."""
    return instead if value is None or isinstance(value, Undefined) else value


def _replace(value: Any, old: str, new: str) -> str:
    if len(str(old)) == 0:
        raise SecurityError("`replace` needs a text to look for")
    text, old, new = str(value), str(old), str(new)
    if len(text) + text.count(old) * len(new) > 2**20:
        raise SecurityError("`replace` would make too long a text")
    return text.replace(old, new)


def _between(items: list[Any], between: str) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found += [between, item] if found else [item]
    return found
