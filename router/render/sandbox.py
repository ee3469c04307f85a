"""The environment that templates and expressions run in: what they can name, and nothing else."""

from __future__ import annotations

import threading
from datetime import datetime
from types import CodeType
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, StrictUndefined, Undefined
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from markupsafe import Markup

from router.render.counting import CONCAT, FETCH, STEP, WEIGH, Counting
from router.render.escape import Kind, clean, escaper, words_of
from router.render.filters import add_up, date, default, humanize, replace, round_number
from router.render.limits import Budget, bounded, operate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Environment, nodes
    from jinja2.runtime import Context

FILTERS = (
    "abs batch capitalize count dictsort first float groupby int items last length list"
    " lower map max min reject rejectattr reverse select selectattr slice sort"
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


class Sources(BaseLoader):
    """Templates by file name; a traceback names the same file."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in self._texts:
            raise TemplateNotFound(template)
        return self._texts[template], template, None

    def size(self, template: str) -> int:
        """How many characters a template has; none where there is no such."""
        return len(self._texts.get(template, ""))


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

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self, kind: Kind, loader: BaseLoader | None = None) -> None:
        self.budget = Budget()
        self._escape = escaper(kind)
        self._sources = loader
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=True,
            finalize=self.finish,
            optimized=False,  # what an expression makes is weighed when it is rendered
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            cache_size=-1,
            auto_reload=False,
            bytecode_cache=Remembered(kind),
        )
        self.globals.clear()
        charged = self.budget.charged
        own: dict[str, Callable[..., Any]] = {
            "join": self._join,
            "replace": replace,
            "round": round_number,
            "sum": add_up,
            "humanize": humanize,
            "date": date,
            "default": default,
            "d": default,
            "string": clean,
            "lines": self._lines,
        }
        usual: dict[str, Callable[..., Any]] = {name: JINJA_FILTERS[name] for name in FILTERS}
        self.filters = {name: charged(function) for name, function in (usual | own).items()}
        self.filters |= {"e": self.finish, "escape": self.finish, CONCAT: self._concat}
        self.filters |= {STEP: self.budget.each, WEIGH: self.budget.weigh, FETCH: self._fetch}
        tests: dict[str, Any] = {name: JINJA_TESTS[name] for name in TESTS}
        self.tests = {name: charged(test) for name, test in tests.items()}

    def finish(self, value: Any) -> Markup:
        """A value as words of this kind, weighed and counted."""
        words = self._escape(self.budget.weigh(value))
        self.budget.printed(words)
        return words

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

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, slice):
            self.budget.weigh(obj)
        item = super().getitem(obj, argument)
        if isinstance(item, Undefined):
            # Jinja's words would show what was asked for: a value of the event, or an address.
            return self.undefined("there is no such element")
        return item

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        budget = __self.budget
        budget.spend()
        for argument in (getattr(__obj, "__self__", None), *args, *kwargs.values()):
            budget.weigh(argument)
        budget.enter()
        try:
            return bounded(super().call(__context, __obj, *args, **kwargs))
        finally:
            budget.leave()

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        """Make a template's code; here, since expressions come by here too."""
        return super()._generate(Counting().visit(source), name, filename, defer_init)

    def _fetch(self, names: Any) -> None:
        """Pay for a template that is about to be included or imported."""
        for name in [names] if isinstance(names, str) else names:
            size = self._sources.size(name) if isinstance(self._sources, Sources) else 0
            self.budget.spend(20 + size // 64)

    def _join(self, items: Any, between: str = "", attribute: str | None = None) -> Any:
        found = [item[attribute] if attribute else item for item in items]
        return self._concat(_between(found, between))

    def _concat(self, parts: Any) -> Any:
        parts = self.budget.weigh(list(parts))
        if any(isinstance(part, Markup) for part in parts):
            return bounded(Markup("").join(self._escape(part) for part in parts))
        return bounded("".join(map(words_of, parts)))

    def _lines(self, value: Any) -> Markup:
        """A text of several lines, each made safe, with breaks between them (HTML)."""
        return Markup("<br>\n").join(self._escape(line) for line in str(value).splitlines())


def _between(items: list[Any], between: str) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found += [between, item] if found else [item]
    return found
