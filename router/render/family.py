"""Template families: `NAME.html.j2`, `NAME.slack.j2`, `NAME.md.j2`, `NAME.txt.j2`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final

from router.message import Format
from router.render import convert

SUFFIXES: Final[dict[Format, str]] = {
    "html": ".html.j2",
    "slack": ".slack.j2",
    "markdown": ".md.j2",
    "text": ".txt.j2",
}
_NEAREST: Final[dict[Format, tuple[Format, ...]]] = {
    "html": ("html", "markdown", "slack", "text"),
    "slack": ("slack", "markdown", "text", "html"),
    "markdown": ("markdown", "text", "slack", "html"),
    "text": ("text", "markdown", "slack", "html"),
}
_CONVERT: Final[dict[tuple[Format, Format], Callable[[str], str]]] = {
    ("markdown", "html"): convert.markdown_to_html,
    ("slack", "html"): convert.slack_to_html,
    ("text", "html"): convert.text_to_html,
    ("markdown", "slack"): convert.markdown_to_slack,
    ("text", "slack"): convert.text_to_slack,
    ("html", "slack"): lambda t: convert.text_to_slack(convert.html_to_text(t)),
    ("text", "markdown"): convert.text_to_markdown,
    ("slack", "markdown"): lambda t: convert.text_to_markdown(convert.slack_to_text(t)),
    ("html", "markdown"): lambda t: convert.text_to_markdown(convert.html_to_text(t)),
    ("markdown", "text"): convert.markdown_to_text,
    ("slack", "text"): convert.slack_to_text,
    ("html", "text"): convert.html_to_text,
}


def families(names: Iterable[str]) -> dict[str, set[Format]]:
    """The families among template file names, each with the formats it has members for."""
    found: dict[str, set[Format]] = {}
    for name in names:
        for kind, suffix in SUFFIXES.items():
            if name.endswith(suffix):
                found.setdefault(name.removesuffix(suffix), set()).add(kind)
    return found


def member(family: str, wanted: Format, names: Container[str]) -> tuple[str, Format] | None:
    """The member of a family that is nearest to a format, and its own format."""
    for kind in _NEAREST[wanted]:
        name = family + SUFFIXES[kind]
        if name in names:
            return name, kind
    return None


def turn(text: str, given: Format, wanted: Format) -> str:
    """Words of one format as words of another."""
    return text if given == wanted else _CONVERT[given, wanted](text)


def with_note(body: str, kind: Format, note: str) -> str:
    """Words with one more line of plain text at their end."""
    if kind != "html":
        return f"{body}\n\n{turn(note, 'text', kind)}"
    line = f"<p>{convert.text_to_html(note)}</p>"
    head, end, rest = body.rpartition("</body>")
    return f"{head}{line}{end}{rest}" if end else body + line
