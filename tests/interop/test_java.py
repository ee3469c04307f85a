"""Java's HTTP client with its defaults, which asks for an upgrade to HTTP/2 over plain http."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.interop

PROGRAM = Path(__file__).parent / "Post.java"
RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""


@pytest.mark.parametrize("form", ["with its length", "chunked"])
def test_java_posts_with_its_defaults(router: Callable[..., Running], form: str) -> None:
    java = shutil.which("java")
    assert java, "java is missing: apt-get install default-jdk-headless"
    running = router(RULES)
    event = {"trigger": "case_created", "case_id": 7, "case_name": "Zürich AG"}
    address = f"{running.url}/hooks/atfinity/{SECRET}"
    posted = subprocess.run(
        [java, "-Dfile.encoding=UTF-8", str(PROGRAM), address, json.dumps(event), "5", form],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert posted.returncode == 0, posted.stderr
    answers = [line.split(" ", 2) for line in posted.stdout.splitlines()]
    assert [(status, version) for status, version, _ in answers] == [("202", "HTTP_1_1")] * 5
    ids = {json.loads(body)["event"] for _, _, body in answers}
    assert len(ids) == 5
    bodies = [running.get(f"/api/events/{number}")[1]["body"] for number in ids]
    assert bodies == [event] * 5
