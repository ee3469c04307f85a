"""docs/keys: a page for every key, in sync with the shapes, whose examples have no problem."""

from __future__ import annotations

import re
from typing import Any

import pytest

from key_pages import FOLDER, Key, as_yaml, keys, pages, whole
from router.delivery import inspect
from router.rulebook import Files, build, schema

TEMPLATE = "{{ case_name }}{% for one in events %}{{ one.line }}{% endfor %}"
TEMPLATES = dict.fromkeys(
    (f"{name}.txt.j2" for name in ("case_approved", "case_changed", "short")), TEMPLATE
)
EXAMPLES = [(key, example) for key in keys() for example in key.examples]


def test_the_pages_are_those_that_the_shapes_make() -> None:
    kept = {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in FOLDER.rglob("*.md")
    }
    assert kept == pages(), "run `make manual`"


def test_every_key_of_the_schema_has_a_page_a_meaning_and_an_example() -> None:
    named = {key.name for key in keys()}
    made = schema()
    for shape in (made, *made["$defs"].values()):
        for name, told in shape.get("properties", {}).items():
            if shape is not made["$defs"]["Event"]:
                assert name in named, name
            assert told.get("description"), name
    for key in keys():
        assert key.examples, key.file
        assert key.means, key.file
        assert not key.means.endswith("."), key.file


@pytest.mark.parametrize(
    ("key", "example"), EXAMPLES, ids=[f"{k.group}-{k.name}" for k, _ in EXAMPLES]
)
def test_every_example_has_no_problem(key: Key, example: dict[str, Any]) -> None:
    found = build(
        Files("rules.yaml", {"rules.yaml": whole(example)}, TEMPLATES, {"holidays.txt": ""}),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    told = [p.text for p in found.problems if "is used by" not in p.text]
    assert told == [], as_yaml(example)


def test_every_link_leads_somewhere() -> None:
    made = pages()
    for name, text in made.items():
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert ((FOLDER / name).parent / link).exists(), f"{name}: {link}"
        for anchor in re.findall(r"index\.md#([a-z-]+)", text):
            assert f'<a id="{anchor}">' in made["index.md"]
