"""`make run`: the service in capture mode, with one sample event per trigger posted to it once."""

from __future__ import annotations

import http.client
import os
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from router.cli.edge import open_history, settings_now
from router.cli.serve import run
from router.ledger import Filters

if TYPE_CHECKING:
    from router.settings import Settings

SAMPLES = Path(__file__).parent / "samples"
SECRET = "ATFINITY_SECRET"  # noqa: S105 - the name of the setting


def main() -> None:
    """Serve until stopped; the sample events are posted if the ledger is new."""
    os.environ.setdefault("ROUTER_OUTBOUND", "capture")
    os.environ.setdefault(SECRET, secrets.token_urlsafe(24))
    settings = settings_now()
    new = not _has_events(settings)
    threading.Thread(
        target=_post_samples, args=(settings,), kwargs={"new": new}, daemon=True
    ).start()
    run(settings, "all")


def _post_samples(settings: Settings, *, new: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=10)
    if not _ready(connection):
        return
    if not new:
        _say(f"\n  The router is at {settings.base_url}/ (its ledger has events already)\n")
        return
    headers = {"authorization": f"Bearer {os.environ[SECRET]}"}
    for sample in sorted(SAMPLES.glob("*.json")):
        connection.request("POST", "/hooks/atfinity", sample.read_bytes(), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            _say(f"  {sample.name} was answered {answer.status}")
    _say(
        f"\n  The router is at {settings.base_url}/ with nine sample events.\n"
        f"  Post your own to {settings.base_url}/hooks/atfinity/{os.environ[SECRET]}\n"
        "  Nothing is sent: every message is captured and shown. Stop with Ctrl-C.\n"
    )


def _ready(connection: http.client.HTTPConnection) -> bool:
    for _ in range(300):
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return True
        except OSError:
            connection.close()
        time.sleep(0.1)
    return False


def _has_events(settings: Settings) -> bool:
    """Asked of the ledger: the API may need a login."""
    ledger = open_history(settings)
    if ledger is None:
        return False
    try:
        return bool(ledger.events(Filters(limit=1)))
    finally:
        ledger.close()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
