"""`make screenshots`: the pages over a day that could have been, as pictures for the docs."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from far_end import wait_until
from running import ROOT, Running

PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1200, 800
PAGES = {
    "activity": "/",
    "event": "/events/{failed}",
    "deliveries": "/deliveries?since=12h",
    "channels": "/channels",
    "rules": "/rules",
    "playground": "/playground",
    "timers": "/timers",
    "status": "/status",
}
"""The name of each picture, and the address it is taken of."""
CASES = (
    ("Nordlicht Holding AG", "kyc_process"),
    ("Seefeld Immobilien GmbH", "credit_process"),
    ("Rossi & Figli S.r.l.", "kyc_process"),
    ("Atelier Dubois SA", "onboarding_light"),
    ("Bergbahn Vals AG", "kyc_process"),
)
FEW = 4
"""Hours at night hold so many times fewer events."""


def main() -> None:
    """Serve a made-up day and take a picture of every page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "templates", folder / "templates")
        rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
        running = Running(
            folder, rules, {"ROUTER_OUTBOUND": "capture", "ROUTER_RULES": "rules.yaml"}
        )
        running.start()
        _post_day(running)
        running.stop()
        failed = _spread(folder / "router.db")
        running.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                for picture, path in PAGES.items():
                    _take(browser, running.url + path.format(failed=failed), picture)
                browser.close()
        finally:
            running.stop()


def _post_day(running: Running) -> None:
    samples = [path.read_bytes() for path in sorted((ROOT / "router" / "samples").glob("*.json"))]
    for number in range(22):
        name, process = CASES[number % len(CASES)]
        event = json.loads(samples[number % len(samples)])
        event |= {"case_id": 1040 + number % 13, "case_name": name, "process_key": process}
        event["case_user_readable_id"] = f"{process[:3].upper()}-{event['case_id']}"
        if running.post(event)[0] != 202:
            sys.exit("a sample was not accepted")
    wait_until(lambda: not _under_way(running), 240)


def _under_way(running: Running) -> set[str]:
    """Channels whose rate is not done yet; what is for later waits for nothing."""
    waiting = running.deliveries("state=pending")
    return {one["channel"] for one in waiting} - {"registry"}


def _spread(database: Path) -> int:
    """Lay the events over the last day and let two deliveries fail; returns the failed event."""
    now = time.time()
    hour = now - now % 3600
    with closing(sqlite3.connect(database)) as connection, connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM events ORDER BY id")]
        for place, event in enumerate(ids):
            at = now - 40 - 70_000 * (1 - (place + 1) / len(ids)) ** 2
            connection.execute("UPDATE events SET received_at = ? WHERE id = ?", (at, event))
            connection.execute(
                "UPDATE attempts SET at = ? + 0.2 WHERE delivery_id IN"
                " (SELECT id FROM deliveries WHERE event_id = ?)",
                (at, event),
            )
            connection.execute(
                "UPDATE deliveries SET ended_at = ? + min(ended_at - created_at, 1.4),"
                " created_at = ? WHERE event_id = ?",
                (at, at, event),
            )
        failed = connection.execute(
            "SELECT id, event_id FROM deliveries WHERE state = 'sent' AND channel = 'compliance'"
            " ORDER BY id DESC LIMIT 2 OFFSET 1"
        ).fetchall()
        reason = "the mail server refused the recipient: 550 5.1.1 no such mailbox"
        for delivery, _ in failed:
            connection.execute(
                "UPDATE deliveries SET state = 'failed', reason = ? WHERE id = ?",
                (reason, delivery),
            )
            connection.execute(
                "UPDATE attempts SET outcome = 'failed', status = 550, detail = ?"
                " WHERE delivery_id = ?",
                (reason, delivery),
            )
        connection.execute("DELETE FROM tallies WHERE kind IN ('received', 'sent', 'failed')")
        for back in range(24):
            at = hour - back * 3600
            busy = 40 if 6 <= time.gmtime(at).tm_hour <= 17 else 40 // FEW
            received = busy + (back * 7) % 11
            for kind, many in (
                ("received", received),
                ("sent", received + received // 3),
                ("suppressed", (back * 5) % 4),
                ("failed", 2 if back == 0 else 0),
            ):
                connection.execute(
                    "INSERT OR REPLACE INTO tallies (kind, name, at, slot, number, last)"
                    " VALUES (?, 'day', ?, -1, ?, ?)",
                    (kind, at, many, at),
                )
    return int(failed[0][1])


def _take(browser: Browser, address: str, name: str) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    answer = page.goto(address)
    if answer is None or answer.status != 200:
        sys.exit(f"{name}: the page is not there")
    page.wait_for_timeout(800)
    if name == "deliveries":
        for box in page.locator("td.pick input").all()[1:3]:
            box.check()
    if name == "playground":
        page.locator("#rules > summary").click()
        text = page.locator("#text")
        text.fill(text.input_value().replace("notify: kyc-outcome", "notify: kyc-team", 1))
        page.get_by_text("No longer said").wait_for()
        page.locator("#text").evaluate("one => { one.scrollTop = one.scrollHeight * 0.26; }")
        page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main()
