"""The service on PostgreSQL: replicas share the work, and a dead one's work is taken over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from databases import fresh_database
from far_end import HttpFarEnd, wait_until
from running import Running

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels: {{ sink: {{ webhook: {{ url: {url}/in }} }} }}
rules:
  - {{ name: all, when: always, notify: sink, title: "{{{{ case_version }}}}" }}
"""


def test_two_replicas_deliver_everything_through_the_death_of_one(
    postgres: str, tmp_path: Path
) -> None:
    settings = {"ROUTER_DATABASE_URL": fresh_database(postgres)}
    with HttpFarEnd() as far:
        replicas = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            replicas.append(Running(tmp_path / name, RULES.format(url=far.url), settings))
            replicas[-1].start()
        first, second = replicas
        posted = 0
        for version in range(1, 31):
            for running in replicas:
                body = {"trigger": "case_comment", "case_id": posted % 5, "case_version": version}
                if running.process is not None and running.post(body)[0] == 202:
                    posted += 1
            if version == 15:
                first.kill()
        wait_until(lambda: len(second.deliveries("state=sent")) == posted)
        told = [json.loads(p.body) for p in far.posted]
        assert len({t["event"]["id"] for t in told}) == posted
        repeats = [t for t in told if t["possible_repeat"]]
        assert len(told) - posted <= len(repeats)
        assert second.stop() == 0
