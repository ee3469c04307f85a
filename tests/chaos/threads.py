"""`python -m chaos.threads`: every long-lived thread is ended, and made to stand still, in a real
process under load; a table says what happened, and the exit status whether one was silent."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from chaos.faulty import start, strike
from far_end import HttpFarEnd, wait_until
from running import Running

THREADS = (
    *("ledger-writer", "worker-clock", "sender", "watchdog", "rules-watch", "supervisor"),
    *("log-writer", "pages", "readiness", "MainThread"),
)
RULES = """version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels:
  plain: { webhook: { url: "FAR/plain" } }
  rated: { webhook: { url: "FAR/rated" }, rate: 50/s }
rules: [{ name: all, when: always, notify: [plain, rated] }]
"""
SILENT = 60.0
"""Seconds after which a service that sends nothing must have said so."""
FAULTS = {"end": "ended", "hold": "stands still"}
WATCHED = 60.0
"""Seconds for which a service is watched at least after its fault."""
SILENCE = {"ledger-writer": 40.0, "worker-clock": 40.0, "rules-watch": 120.0}
"""Seconds after which a supervised thread must have moved; after twice that the process ends."""
LONGEST = 400.0
EVERY = 0.5
AT_ONCE = 5


class Row(NamedTuple):
    """What one fault did; times are seconds after it."""

    thread: str
    fault: str
    happened: str
    again: float | None
    """When the first event posted after the fault had arrived everywhere; None: never."""
    livez: str
    readyz: str
    finding: str

    def cells(self) -> tuple[str, ...]:
        again = "never" if self.again is None else f"{self.again:.1f} s"
        return (
            *(self.thread, self.fault, self.happened, again, self.livez, self.readyz),
            self.finding or "holds",
        )


def main() -> int:
    """Strike each thread with each fault; returns the exit status."""
    wanted = [(thread, fault) for fault in FAULTS for thread in THREADS]
    heading = ("thread", "fault", "what happened", "sent again after", "/livez", "/readyz", "")
    _say(heading)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = []
        for row in pool.map(lambda pair: _play(*pair), wanted):
            rows.append(row)
            _say(row.cells())
    red = [row for row in rows if row.finding]
    sys.stdout.write(f"{len(rows)} faults, {len(red)} red\n")
    return 1 if red else 0


def _say(cells: tuple[str, ...]) -> None:
    sys.stdout.write(f"{' | '.join(cells)}\n")
    sys.stdout.flush()


def _play(thread: str, fault: str) -> Row:
    with tempfile.TemporaryDirectory(prefix="threads-") as folder, HttpFarEnd() as far_end:
        running = start(Path(folder), RULES.replace("FAR", far_end.url))
        try:
            return _Watch(running, far_end).strike(thread, fault)
        finally:
            running.kill()


class _Watch:
    """A service under a supervisor and under load, and what it says of itself."""

    def __init__(self, running: Running, far_end: HttpFarEnd) -> None:
        self._running = running
        self._far_end = far_end
        self._posted: dict[int, float] = {}
        self._said: dict[str, list[tuple[float, int]]] = {"/livez": [], "/readyz": []}
        self._statuses: list[int] = []
        self._done = threading.Event()

    def strike(self, thread: str, fault: str) -> Row:
        running = self._running
        self._post(0)
        wait_until(lambda: self._arrived(0))
        running.get("/metrics")  # so that the pages have a thread
        hit = strike(running, fault, thread)
        struck = time.time()
        helpers = [threading.Thread(target=work) for work in (self._ask, self._load, self._keep)]
        for helper in helpers:
            helper.start()
        end = struck + LONGEST
        least = max(WATCHED, 2 * SILENCE.get(thread, 0.0) + 20.0) if fault == "hold" else WATCHED
        while time.time() < end:
            time.sleep(EVERY)
            if time.time() - struck > least and self._is_over(struck):
                break
        self._done.set()
        for helper in helpers:
            helper.join()
        posted = [case for case, at in list(self._posted.items()) if at > struck]
        arrivals = [at for case in posted if (at := self._at(case)) is not None]
        missing = [case for case in self._posted if not self._arrived(case)]
        finding = "" if hit else "there is no such thread"
        if missing:
            finding = f"{len(missing)} acknowledged events did not arrive"
        return Row(
            thread=thread,
            fault=FAULTS[fault],
            happened=self._happened(),
            again=min(arrivals) - struck if arrivals else None,
            livez=self._reading("/livez", struck),
            readyz=self._reading("/readyz", struck),
            finding=finding or self._silence(),
        )

    def _is_over(self, struck: float) -> bool:
        """Whether all is well again, or a silent thread does no harm."""
        well = all(said and said[-1][1] == 200 for said in self._said.values())
        fresh = [case for case, at in list(self._posted.items()) if time.time() - 10 < at]
        return well and bool(fresh) and all(self._arrived(case) for case in fresh[:-5])

    def _post(self, case: int) -> None:
        if self._running.post({"trigger": "case_created", "case_id": case})[0] == 202:
            self._posted[case] = time.time()

    def _load(self) -> None:
        case = 1
        while not self._done.is_set():
            self._post(case)
            case += 1
            time.sleep(EVERY / 2)

    def _ask(self) -> None:
        while not self._done.is_set():
            for path, said in self._said.items():
                said.append((time.time(), self._running.get(path)[0]))
            time.sleep(EVERY / 2)

    def _keep(self) -> None:
        """Start it again when it has ended, as systemd would."""
        while not self._done.is_set():
            process = self._running.process
            if process is not None and process.poll() is not None:
                self._statuses.append(process.returncode)
                self._running.start()
            time.sleep(EVERY / 2)

    def _at(self, case: int) -> float | None:
        """When the event had arrived everywhere; None if it has not."""
        mark = f'"case_id":{case},'.encode()
        times = {
            posted.path: posted.at
            for posted in reversed(self._far_end.posted)
            if mark in posted.body.replace(b" ", b"").replace(b"}", b",")
        }
        return max(times.values()) if len(times) == 2 else None

    def _arrived(self, case: int) -> bool:
        return self._at(case) is not None

    def _happened(self) -> str:
        log = self._running.log.read_text()
        again = log.count('"thread_started_again"') or log.count('"thread_ended"')
        parts = [f"exit {status}, another process" for status in self._statuses]
        return "; ".join([*(["started again"] if again else []), *parts]) or "nothing was needed"

    def _reading(self, path: str, struck: float) -> str:
        bad = [at - struck for at, status in self._said[path] if status != 200]
        if not bad:
            return "200"
        statuses = {status or "no answer" for _, status in self._said[path] if status != 200}
        return f"{'/'.join(map(str, statuses))} from {min(bad):.0f} s to {max(bad):.0f} s"

    def _silence(self) -> str:
        """Up, ready and silent: something waited for longer than SILENT while all was said well."""
        for case, at in list(self._posted.items()):
            until = self._at(case) or time.time()
            said = [s for t, s in self._said["/readyz"] if at < t < until]
            if until - at > SILENT and said and set(said) == {200}:
                return f"event {case} waited for {until - at:.0f} s while it said that it was ready"
        return ""


if __name__ == "__main__":
    sys.exit(main())
