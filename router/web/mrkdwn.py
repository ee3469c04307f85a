"""Slack's mrkdwn as pieces of plain text, so that a page can draw it and escape every word."""

from __future__ import annotations

import html
import re
from itertools import groupby

import msgspec

_ATOM = re.compile(
    r"<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>"
    r"|```(?P<block>.+?)```|`(?P<code>[^`\n]+)`",
    re.S,
)
_MARKS = {
    "bold": re.compile(r"(?<![\w*])\*(?=\S)[^*\n]+(?<=\S)\*(?![\w*])"),
    "italic": re.compile(r"(?<![\w_])_(?=\S)[^_\n]+(?<=\S)_(?![\w_])"),
    "strike": re.compile(r"(?<![\w~])~(?=\S)[^~\n]+(?<=\S)~(?![\w~])"),
}
_HOLE = "\ue000"
# The signs that the router's own templates use; any other stays as it is written.
_EMOJI = {
    ":white_check_mark:": "\u2705",
    ":no_entry:": "\u26d4",
    ":arrow_right:": "\u27a1\ufe0f",
    ":speech_balloon:": "\U0001f4ac",
    ":page_facing_up:": "\U0001f4c4",
    ":paperclip:": "\U0001f4ce",
    ":checkered_flag:": "\U0001f3c1",
    ":open_file_folder:": "\U0001f4c2",
    ":pencil2:": "\u270f\ufe0f",
}


class Span(msgspec.Struct, frozen=True):
    """Some words, the marks they wear (`bold`, `italic`, `strike`, `code`), and where they lead.

    `url` is empty, or begins with http:// or https://.
    """

    words: str
    marks: tuple[str, ...] = ()
    url: str = ""


def spans(text: str) -> list[Span]:
    """A Slack text in pieces, in reading order; never raises."""
    atoms: list[Span] = []

    def keep(found: re.Match[str]) -> str:
        atoms.append(_atom(found))
        return _HOLE

    flat = _ATOM.sub(keep, text.replace(_HOLE, ""))
    signs, worn = _worn(flat)
    shown = [at for at in range(len(flat)) if at not in signs]
    left = iter(atoms)
    pieces: list[Span] = []
    for (marks, hole), group in groupby(shown, lambda at: (tuple(worn[at]), flat[at] == _HOLE)):
        where = list(group)
        if hole:
            pieces.extend(_wearing(next(left), marks) for _ in where)
        else:
            pieces.append(Span(_words("".join(flat[at] for at in where)), marks))
    return pieces


def _atom(found: re.Match[str]) -> Span:
    if found["url"]:
        url = html.unescape(found["url"])
        return Span(html.unescape(found["label"] or "") or url, url=url)
    return Span(html.unescape(found["block"] or found["code"]), ("code",))


def _worn(flat: str) -> tuple[set[int], list[list[str]]]:
    """Where the signs stand that are not shown, and the marks that each character wears."""
    signs: set[int] = set()
    worn: list[list[str]] = [[] for _ in flat]
    for name, pattern in _MARKS.items():
        for found in pattern.finditer(flat):
            signs |= {found.start(), found.end() - 1}
            for at in range(found.start() + 1, found.end() - 1):
                worn[at].append(name)
    return signs, worn


def _wearing(atom: Span, marks: tuple[str, ...]) -> Span:
    return Span(atom.words, (*marks, *atom.marks), atom.url)


def _words(text: str) -> str:
    for name, sign in _EMOJI.items():
        text = text.replace(name, sign)
    return html.unescape(text)
