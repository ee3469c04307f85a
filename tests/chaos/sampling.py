"""Samplers: what /livez and /readyz say every 0.2 s, and how much is due every 0.5 s."""

from __future__ import annotations

import http.client
import threading
import time
from typing import TYPE_CHECKING, Literal

from chaos.history import DueSample, Sample
from chaos.records import Records, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.replica import Replica

EVERY = 0.2
DUE_EVERY = 0.5
PATIENCE = 2.0


class Sampler:
    """A thread for each replica and probe, so that none waits for another, and one for what is due.

    `due` may be empty for a while: where the database does not answer, nothing is known.
    """

    def __init__(self, replicas: Sequence[Replica], database: str) -> None:
        self.samples: list[Sample] = []
        self.due: list[DueSample] = []
        self._database = database
        self._stopping = threading.Event()
        probes: tuple[Literal["livez", "readyz"], ...] = ("livez", "readyz")
        self._threads = [
            threading.Thread(target=self._probe, args=(replica, probe), daemon=True)
            for replica in replicas
            for probe in probes
        ]
        self._threads.append(threading.Thread(target=self._watch_due, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)

    def latest(self, replica: str, probe: str) -> Sample | None:
        """The newest sample of a probe."""
        for sample in reversed(self.samples):
            if sample.replica == replica and sample.probe == probe:
                return sample
        return None

    def _probe(self, replica: Replica, probe: Literal["livez", "readyz"]) -> None:
        while not self._stopping.wait(EVERY):
            at = time.monotonic()
            status = ask(replica.address, f"/{probe}") if replica.runs else -1
            self.samples.append(Sample(at, replica.name, probe, status))

    def _watch_due(self) -> None:
        records = Records(self._database)
        while not self._stopping.wait(DUE_EVERY):
            at = time.monotonic()
            try:
                self.due.append(DueSample(at, records.due()))
            except Unreachable:
                continue
        records.close()


def ask(address: tuple[str, int], path: str) -> int:
    """The status of a GET; 0 where no answer came in time."""
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
