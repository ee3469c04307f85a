"""Questions for the process aside: one rule, and what somebody made of it."""

from __future__ import annotations

from pathlib import Path

from router.rulebook import read_files
from router.trial import Answer, Question

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "${SINK:?needed}" } } }
rules:
  - { name: all, when: always, notify: sink, title: "said" }
"""


def question(folder: Path, edit: str = "", number: int = 0) -> Question:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    files = read_files(str(folder / "rules.yaml"))
    body = b'{"trigger": "case_created"}'
    edits = {files.name: f"{RULES}{edit}# {number}"}
    return Question(files=files, edits=edits, base_url="http://x", body=body, source="atfinity")


def titles(answer: Answer | None) -> list[str]:
    assert answer is not None, "overtaken"
    return [one.message.title for one in answer.messages]
