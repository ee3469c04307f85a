"""How long the pages take at the server, over a long history in SQLite."""

from __future__ import annotations

import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from benchmarks.history import write_history
from benchmarks.running import router
from benchmarks.table import Row

AIM = "<= 100 ms"
ROUNDS = 40
PAGES = {
    "activity": "/",
    "activity, an older page": "/?cursor={middle}",
    "activity, failed": "/?state=failed",
    "activity, one case": "/?case=KYC-{case}",
    "activity, a word that is nowhere": "/?q=zebra",
    "activity, a rule that never spoke": "/?rule=nobody",
    "activity, an hour of last month": "/?since={since}&until={until}",
    "an event": "/events/{middle}",
    "deliveries": "/deliveries",
    "deliveries, waiting": "/deliveries?state=pending",
    "activity, what waits": "/?state=pending",
    "deliveries, failed": "/deliveries?state=failed",
    "deliveries, a rule that never spoke": "/deliveries?rule=nobody&state=failed",
    "channels": "/channels",
    "rules": "/rules",
    "playground": "/playground?event={middle}",
    "timers": "/timers",
    "status": "/status",
}


def pages(events: int) -> list[Row]:
    """The 95th percentile of every page, and of asking whether anything changed."""
    month = time.time() - 30 * 86400
    known = {
        "middle": str(events // 2),
        "case": str(events // 10),
        "since": urllib.parse.quote(time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(month))),
        "until": urllib.parse.quote(time.strftime("%Y-%m-%dT%H:59Z", time.gmtime(month))),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder) / "router.db", events)
        with router(Path(folder), 9, paused=True) as server:
            base = f"http://127.0.0.1:{server.port}"
            rows = [
                Row(f"{name}, p95", _p95(base + path.format(**known)), "ms", None, "", AIM)
                for name, path in PAGES.items()
            ]
            same = _p95(f"{base}/", known="yes")
    return [*rows, Row("asking whether activity changed, p95", same, "ms", None, "", "<= 10 ms")]


def _p95(address: str, known: str = "") -> float:
    headers = {"Accept": "text/html"}
    if known:
        headers |= {"HX-Request": "true", "If-None-Match": _get(address, headers)[1]}
    for _ in range(3):  # what a first look finds cold is read from the disk
        _get(address, headers)
    times = sorted(_get(address, headers)[0] for _ in range(ROUNDS))
    return times[int(ROUNDS * 0.95) - 1] * 1000


def _get(address: str, headers: dict[str, str]) -> tuple[float, str]:
    request = urllib.request.Request(address, headers=headers)
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return time.perf_counter() - began, answer.headers.get("etag", "")
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 304:
                raise
            return time.perf_counter() - began, ""
