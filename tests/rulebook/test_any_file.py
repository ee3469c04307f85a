"""Whatever a rules file holds, check answers with problems: no exception, and no secret in one."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.delivery import formats, inspect
from router.problem import in_order, report
from router.rulebook import Files, build, prove, read_files

ROOT = Path(__file__).parent.parent.parent
SECRET = "a-secret-from-outside"
LITERAL = "hunter2hunter2"
SHIPPED = read_files(str(ROOT / "rules.yaml"))
TEXT = (
    SHIPPED.rules[SHIPPED.name]
    .replace("${ATFINITY_SECRET:-}", LITERAL)
    .replace("${SMTP_PASSWORD:-}", "${SECRET}")
)
LINES = TEXT.splitlines()
BAD = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "bad_rules").glob("*.yaml")]
WORDS = sorted(set(re.findall(r"[\w.*-]+", TEXT)) - {LITERAL})


def read_file(path: str) -> str:
    if path != "/run/x":
        raise FileNotFoundError(2, "No such file or directory")
    return SECRET


def told(text: str, **others: str) -> str:
    files = Files("rules.yaml", {"rules.yaml": text, **others}, SHIPPED.templates)
    built = build(
        files,
        environment={"SECRET": SECRET},
        read_file=read_file,
        inspect_channel=inspect,
        outbound="live",
    )
    found = prove(built, formats)
    assert found.ruleset is not None or found.problems
    for problem in found.problems:
        where = problem.position
        assert where.line >= 1
        assert where.column >= 1
        assert where.length >= 1
    return report(in_order(found.problems), found.files, "rules.yaml", "so it is")


@st.composite
def changed(draw: st.DrawFn) -> str:
    """The shipped file with some lines lost, doubled, indented or with other words."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                lines.pop(at)
            case 1:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 2:
                lines[at] = " " * draw(st.integers(1, 4)) + lines[at]
            case 3:
                found = re.findall(r"[\w.*-]+", lines[at])
                if found:
                    old = draw(st.sampled_from(found))
                    lines[at] = lines[at].replace(old, draw(st.sampled_from(WORDS)), 1)
            case 4:
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.sampled_from("{}[]:,&*!|>'\"#%@-? ")) + (
                    lines[at][cut:]
                )  # fmt: skip
            case _:
                lines[at] = lines[at].split(":")[0] + ": " + draw(VALUES)
    return "\n".join(lines) + "\n"


VALUES = st.sampled_from(
    ("null", "[]", "{}", "5", "-1", "true", "1e400", "''", "[[]]", "{ a: { b: [c] } }", "always",
     "${file:/run/x}", "${SECRET}", "2026-12-25", "*", "${A:?${B}}", "[null]", "{ null: null }")
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(changed())
def test_a_changed_file_is_read_or_told_about(text: str) -> None:
    words = told(text)
    assert SECRET not in words
    assert LITERAL not in words


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(BAD), st.sampled_from(BAD))
def test_any_bad_file_included_in_another_is_told_about(one: str, two: str) -> None:
    assert SECRET not in told(one, **{"rules.d/two.yaml": two})
