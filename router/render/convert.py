"""From one format to another, safely: for a template family that has no member of the format."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from router.render.escape import safe_url

_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_SLACK_LINK = re.compile(r"<(https?://[^|>\s]{1,2000})(?:\|([^>]{0,2000}))?>")
_SLACK_CODE = re.compile(r"<[!@#][^>]{0,200}>")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~&])")
_MD_LINK = re.compile(r"\[([^\]\n]{0,1000})\]\((https?://[^)\s]{1,2000})\)")
_MD_SPECIAL = re.compile(r"([\\`*_\[\]#|<>~])")
_BLANKS = re.compile(r"\n{3,}")


def text_to_html(text: str) -> str:
    return "<br>\n".join(html.escape(line) for line in text.splitlines())


def text_to_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text_to_markdown(text: str) -> str:
    return "  \n".join(_MD_SPECIAL.sub(r"\\\1", line) for line in text.splitlines())


def markdown_to_html(text: str) -> str:
    """Markdown as HTML; HTML inside it is shown as text."""
    rendered: str = _markdown.render(text)
    return rendered


def markdown_to_slack(text: str) -> str:
    """Markdown as Slack's mrkdwn: bold, headings, bullets and links; all else as text."""
    lines = []
    for line in text.splitlines():
        plain = re.sub(r"^#{1,6}\s+(.*)$", r"**\1**", line)
        plain = re.sub(r"^(\s*)[-*+]\s+", "\\1\u2022 ", plain)
        lines.append(_slack_line(plain))
    return "\n".join(lines)


def _slack_line(line: str) -> str:
    parts = []
    at = 0
    for found in _MD_LINK.finditer(line):
        parts.append(_slack_words(line[at : found.start()]))
        label = _ESCAPED.sub(r"\1", found[1]).replace("|", "/")
        url = safe_url(found[2])
        label = text_to_slack(label)
        parts.append(f"<{text_to_slack(url)}|{label}>" if url else label)
        at = found.end()
    return "".join([*parts, _slack_words(line[at:])])


def _slack_words(words: str) -> str:
    marked = re.sub(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*", "\x00\\1\x00", words)
    return text_to_slack(_ESCAPED.sub(r"\1", marked)).replace("\x00", "*")


def slack_to_text(text: str) -> str:
    """mrkdwn as plain text: links as `label (address)`, marks of Slack's own taken out."""
    linked = _SLACK_LINK.sub(lambda m: f"{m[2]} ({m[1]})" if m[2] else m[1], text)
    return html.unescape(_SLACK_CODE.sub("", linked))


def slack_to_html(text: str) -> str:
    return text_to_html(slack_to_text(text))


def markdown_to_text(text: str) -> str:
    """Markdown as plain text: read as it is, without the backslashes."""
    return _ESCAPED.sub(r"\1", _MD_LINK.sub(r"\1 (\2)", text))


def html_to_text(text: str) -> str:
    """HTML as plain text: a line per block and table row, links as `label (address)`."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Collects the words of a page as text."""

    SILENT = frozenset({"head", "style", "script", "title"})
    VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
    BLOCKS = frozenset({"p", "div", "table", "tr", "ul", "ol", "h1", "h2", "h3", "h4", "br", "hr"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []
        self._links: list[tuple[str | None, int]] = []
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        within = bool(self._silent) and tag == self._silent[-1]
        if within or tag in self.SILENT or "hidden" in given:
            if tag not in self.VOID:
                self._silent.append(tag)
        elif tag == "a":
            self._links.append((given.get("href"), len(self.parts)))
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in ("td", "th"):
            self._cells += 1
            self.parts.append(": " if self._cells == 2 else "  " if self._cells > 2 else "")
        elif tag in self.BLOCKS:
            if tag == "tr":
                self._cells = 0
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag == self._silent[-1]:
                self._silent.pop()
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            label = "".join(self.parts[start:]).strip()
            url = safe_url(address)
            if url and url != label:
                self.parts.append(f" ({url})")
        elif tag in self.BLOCKS and tag != "tr":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))
