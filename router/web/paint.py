"""JSON for reading: pieces of its text, each with what it is, so that a page can colour it."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))'
    r'|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>\b(?:true|false|null)\b)"
)


def paint(text: str) -> list[tuple[str, str]]:
    """A text in pieces, in order: (`key`, `text`, `number`, `word` or nothing, the words).

    What is no JSON comes back as it is, whole or in pieces.
    """
    pieces: list[tuple[str, str]] = []
    end = 0
    for found in _PIECE.finditer(text):
        if found.start() > end:
            pieces.append(("", text[end : found.start()]))
        pieces.append((found.lastgroup or "", found[0]))
        end = found.end()
    if end < len(text):
        pieces.append(("", text[end:]))
    return pieces
