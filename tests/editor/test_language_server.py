"""An editor with yaml-language-server: no word about sound files, the right ones about others.

`make editor` installs the server from npm. After a change of the schema,
`PYTHONPATH=tests python tests/editor/test_language_server.py` writes its words anew; read the diff.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from key_pages import keys, whole
from language_server import LanguageServer
from router.event import TRIGGERS

ROOT = Path(__file__).parent.parent.parent

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.editor

BAD = ROOT / "tests" / "bad_rules"
GOLDEN = Path(__file__).parent / "bad_rules.out"
SCRIPT = "node_modules/yaml-language-server/bin/yaml-language-server"
RULE = """# yaml-language-server: $schema=./rules.schema.json
version: 1
rules:
  - name: one
    when:
      trigger: case_created
      PLACE
    notify: a
"""


def start() -> LanguageServer:
    node = shutil.which("node")
    assert node, "node is not installed: apt-get install nodejs npm"
    script = ROOT / ".venv" / "editor" / SCRIPT
    assert script.exists(), "yaml-language-server is not installed: make editor"
    return LanguageServer(node, script, ROOT / "rules.schema.json")


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    made = start()
    yield made
    made.stop()


def words_about_bad_rules(server: LanguageServer) -> str:
    files = sorted(BAD.glob("*.yaml"))
    told = server.diagnostics(files)
    lines = [f"{path.stem}:{text}" for path in files for text in told[path.as_uri()]]
    return "\n".join(lines) + "\n"


def test_the_shipped_file_and_every_key_page_have_no_diagnostics(
    server: LanguageServer, tmp_path: Path
) -> None:
    files = [ROOT / "rules.yaml"]
    for key in keys():
        for number, example in enumerate(key.examples):
            files.append(tmp_path / f"{key.group}-{key.name}-{number}.yaml")
            files[-1].write_text(whole(example))
    assert server.diagnostics(files) == {file.as_uri(): [] for file in files}


def test_bad_files_have_the_right_diagnostics(server: LanguageServer) -> None:
    assert words_about_bad_rules(server) == GOLDEN.read_text(encoding="utf-8")


def test_keys_are_offered_and_explained(server: LanguageServer, tmp_path: Path) -> None:
    shutil.copy(ROOT / "rules.schema.json", tmp_path)
    file = tmp_path / "rules.yaml"
    file.write_text(RULE.replace("PLACE", "proc"))
    assert {"process_key", "case_name", "any", "not", "if"} <= server.completion(file, 7, 11)
    file.write_text(RULE.replace("      PLACE\n", "") + "    esc\n")
    assert {"escalate", "template", "throttle"} <= server.completion(file, 8, 8)
    file.write_text(RULE.replace("      PLACE\n", "") + "    severity: \n")
    assert {"info", "success", "warning", "failure"} <= server.completion(file, 8, 15)
    file.write_text(RULE.replace("      PLACE\n", "").replace("case_created", "case_"))
    assert set(TRIGGERS) <= server.completion(file, 6, 21)
    file.write_text(RULE.replace("PLACE", "process_key: x"))
    assert "what an event must meet" in server.hover(file, 5, 6)
    assert "the key of the process" in server.hover(file, 7, 9)
    assert "who is told" in server.hover(file, 8, 6)


if __name__ == "__main__":
    running = start()
    GOLDEN.write_text(words_about_bad_rules(running), encoding="utf-8")
    running.stop()
