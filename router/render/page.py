"""The router's own pages: trusted templates, everything they show escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def page_renderer(
    folder: Path, globals_: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]]
) -> Callable[[str, Mapping[str, Any]], str]:
    """Return what renders a page of a folder: its file name and its variables -> HTML."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(globals_)
    environment.filters.update(filters)

    def page(name: str, given: Mapping[str, Any]) -> str:
        return environment.get_template(name).render(given)

    return page
