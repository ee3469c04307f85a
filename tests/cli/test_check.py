"""router check: its three forms, what --strict does, and that it names files as they are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli.check import _annotation, command
from router.problem import Position, Problem

HEAD = """version: 1
sources: { s: { secret: "${SECRET}" } }
channels:
  a: { webhook: { url: http://127.0.0.1:9/ } }
  spare: { webhook: { url: http://127.0.0.1:9/ } }
"""
RULE = "rules:\n  - { name: r, when: { trigger: case_created }, notify: a, template: hello }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `conf` with a warning in its rules and a fault in a template."""
    (tmp_path / "conf" / "templates").mkdir(parents=True)
    (tmp_path / "conf" / "rules.yaml").write_text(HEAD + RULE)
    (tmp_path / "conf" / "templates" / "hello.txt.j2").write_text("{{ case_nmae }}")
    return tmp_path


def check(folder: Path, *arguments: str, **environment: str) -> Result:
    runner = CliRunner(env={"SECRET": "a-secret", "ROUTER_OUTBOUND": "live", **environment})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return runner.invoke(command, arguments, catch_exceptions=False)


def test_a_template_is_named_as_it_is_found(folder: Path) -> None:
    text = check(folder, "conf/rules.yaml").stdout
    assert "conf/templates/hello.txt.j2:1:4: there is no variable `case_nmae`" in text
    assert " 1 | {{ case_nmae }}\n   |    ^^^^^^^^^\n" in text
    (folder / "conf" / "templates").rename(folder / "words")
    text = check(folder, ROUTER_RULES="conf/rules.yaml", ROUTER_TEMPLATES="words").stdout
    assert "\nwords/hello.txt.j2:1:4: there is no" in text
    assert " 1 | {{ case_nmae }}" in text


def test_json_holds_all_there_is_to_know(folder: Path) -> None:
    done = check(folder, "conf/rules.yaml", "--format", "json")
    warning, error = sorted(json.loads(done.stdout), key=lambda one: -len(one["severity"]))
    assert error == {
        "file": "conf/templates/hello.txt.j2",
        "line": 1,
        "column": 4,
        "length": 9,
        "severity": "error",
        "text": "there is no variable `case_nmae`; did you mean `case_name`?",
        "notes": [],
    }
    assert (warning["line"], warning["severity"]) == (5, "warning")
    assert done.exit_code == 1


def test_strict_makes_errors_of_warnings_and_says_that_only_it_does(folder: Path) -> None:
    (folder / "conf" / "templates" / "hello.txt.j2").write_text("{{ case_name }}")
    done = check(folder, "conf/rules.yaml")
    assert done.exit_code == 0
    assert done.stdout.endswith("1 warning in conf/rules.yaml; the service would load this\n")
    done = check(folder, "conf/rules.yaml", "--strict")
    assert done.exit_code == 1
    end = "1 problem in conf/rules.yaml; the service would load this, but --strict does not\n"
    assert done.stdout.endswith(end)
    told = json.loads(check(folder, "conf/rules.yaml", "--strict", "--format", "json").stdout)
    assert [one["severity"] for one in told] == ["error"]


def test_nothing_in_a_problem_can_break_an_annotation() -> None:
    where = Position("a,b:c%.yaml", 3, 5, 2)
    text = _annotation(Problem(where, "100% of\r\nit::x", ("a note, with: signs",), "warning"))
    assert text == (
        "::warning file=a%2Cb%3Ac%25.yaml,line=3,col=5::100%25 of%0D%0Ait::x%0Aa note, with: signs"
    )


def test_a_clean_file_is_empty_json_and_no_annotation(folder: Path) -> None:
    text = HEAD.replace("  spare: { webhook: { url: http://127.0.0.1:9/ } }\n", "")
    (folder / "conf" / "rules.yaml").write_text(text + RULE.replace(", template: hello", ""))
    (folder / "conf" / "templates" / "hello.txt.j2").unlink()
    assert json.loads(check(folder, "conf/rules.yaml", "--format", "json").stdout) == []
    assert check(folder, "conf/rules.yaml", "--format", "github").stdout == ""
    assert "no problems in conf/rules.yaml: 1 rules, 1 channels" in check(
        folder, "conf/rules.yaml"
    ).stdout  # fmt: skip


def test_wrong_usage_is_exit_2(folder: Path) -> None:
    assert check(folder, "--format", "yaml").exit_code == 2
    assert check(folder, "conf/rules.yaml", ROUTER_PORT="x").exit_code == 2
    assert check(folder, "not-there.yaml").exit_code == 1
