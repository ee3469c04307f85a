"""No secret is shown anywhere: a canary in every place, and a search through all of it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from far_end import Answer, HttpFarEnd, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Running

CANARIES = {
    name: f"canary-{name.lower()}-0123456789"
    for name in ("SOURCE", "OLDER", "TOKEN", "HOOK", "PASSWORD", "SIGNING", "HEADER", "ADMIN")
}
LITERAL = "canary-literal-0123456789"
RULES = """
version: 1
sources:
  atfinity: { secret: ["${SOURCE}", "${OLDER}"] }
channels:
  signed: { webhook: { url: "SINK/x", secret: "${SIGNING}", headers: { X-Key: "${HEADER}" } } }
  hook: { slack: { webhook: "SINK/${HOOK}" } }
  service: { url: "json://user:${PASSWORD}@HOST/${TOKEN}" }
  literal: { webhook: { url: "SINK/y", secret: canary-literal-0123456789 } }
  mail: { email: { host: 127.0.0.1, port: 9, security: none, user: u, password: "${PASSWORD}",
                   from: a@b.example, to: c@d.example } }
rules:
  - { name: all, when: always, notify: [signed, hook, service, literal, mail] }
"""


def test_a_canary_planted_everywhere_is_found_nowhere(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far:
        # The far end says everything back, in its answer and by its status.
        far.usual = Answer(400, " ".join([*CANARIES.values(), LITERAL]).encode())
        rules = RULES.replace("SINK", far.url).replace("HOST", f"127.0.0.1:{far.port}")
        settings = {**CANARIES, "ROUTER_API_TOKEN": CANARIES["ADMIN"]}
        running = router(rules, **settings)
        allowed = {"Authorization": f"Bearer {CANARIES['ADMIN']}"}
        event = {"trigger": "case_created", "case_id": 1}
        assert running.post(event, f"/hooks/atfinity/{CANARIES['SOURCE']}")[0] == 202
        assert running.post(event, f"/hooks/atfinity/{CANARIES['OLDER']}x")[0] == 404
        running.post(b"{", f"/hooks/atfinity/{CANARIES['OLDER']}")
        running.get(f"/nothing/{CANARIES['SOURCE']}")
        wait_until(lambda: len(running.get("/api/deliveries", **allowed)[1]["items"]) == 5)
        wait_until(lambda: len(far.posted) == 4)
        wait_until(lambda: running.get("/api/deliveries?state=failed", **allowed)[1]["items"])
        broken = running.rules.read_text().replace("when: always", "when: alwys")
        running.rules.write_text(broken)
        seen = [running.request("POST", "/api/reload", b"", allowed)[1]["detail"]]
        paths = (
            "/ /events/1 /events/2 /metrics /api/events /api/events/1 /api/deliveries /api/rules"
            " /api/channels /readyz /api/nothing"
        ).split()
        given = {**allowed, "accept": "text/html"}
        seen += [str(running.get(path, **given)[1]) for path in paths]
        for arguments in (["check"], ["deliveries", "--json"], ["explain", "1", "--json"]):
            done = running.command(*arguments)
            seen += [done.stdout, done.stderr]
        running.stop()
        seen.append(running.log.read_text())
        with sqlite3.connect(running.folder / "router.db") as database:
            seen.extend(database.iterdump())
        database.close()
        everything = "\n".join(seen)
        assert len(everything) > 10_000
        for name, canary in [*CANARIES.items(), ("LITERAL", LITERAL)]:
            at = everything.find(canary)
            assert at < 0, f"{name}: ...{everything[max(0, at - 200) : at + 60]}..."
