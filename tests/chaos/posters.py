"""Posters: numbered events for many cases, posted again where no 202 came, as atfinity would."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from chaos.history import Pair, Post
from chaos.workload import SECRET, draw_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Address = tuple[str, int]
TIMEOUT = 15.0
"""Seconds a post waits for its answer: longer than it may take, so that it is measured."""
TRIES = 3
AGAIN = 0.3


class Posters:
    """Threads that post. Each has a replica that it posts to first, so that each is always asked.

    What is not acknowledged is posted again elsewhere with the same number, and given up after
    TRIES.
    """

    def __init__(
        self,
        addresses: Mapping[str, Address],
        chance: random.Random,
        *,
        per_replica: int = 2,
        pause: float = 0.1,
        extra: int = 0,
    ) -> None:
        self.posts: list[Post] = []
        self.expected: dict[int, tuple[Pair, ...]] = {}
        self._addresses = addresses
        self._pause = pause
        self._extra = extra
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(home, random.Random(chance.random())), daemon=True
            )
            for home in addresses
            for _ in range(per_replica)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the posts that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(TIMEOUT * TRIES)

    def _run(self, home: str, chance: random.Random) -> None:
        client = Client(self._addresses)
        while not self._stopping.wait(self._pause * chance.uniform(0.5, 1.5)):
            number = next(self._numbers)
            body, kind = draw_event(chance, number, self._extra)
            self.expected[number] = kind.pairs
            self._post(client, home, number, body, chance)
        client.close()

    def _post(
        self, client: Client, home: str, number: int, body: dict[str, Any], chance: random.Random
    ) -> None:
        replica = home
        for _ in range(TRIES):
            post = client.post(replica, number, body)
            self.posts.append(post)
            if post.status == 202 or self._stopping.wait(AGAIN):
                return
            replica = chance.choice(list(self._addresses))


class Client:
    """One connection per replica, made anew when it breaks."""

    def __init__(
        self, addresses: Mapping[str, Address], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._addresses = addresses
        self._clock = clock
        self._open: dict[str, http.client.HTTPConnection] = {}

    def post(self, replica: str, number: int, body: dict[str, Any]) -> Post:
        """Post an event once; a connection that was closed meanwhile is opened anew."""
        began = self._clock()
        status, answer = self._request(replica, json.dumps(body).encode())
        event = answer.get("event") if status == 202 else None
        return Post(number, body["case_id"], replica, began, self._clock(), status, event)

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _request(self, replica: str, data: bytes) -> tuple[int, dict[str, Any]]:
        connection = self._open.get(replica)
        if connection is None:
            connection = http.client.HTTPConnection(*self._addresses[replica], timeout=TIMEOUT)
            self._open[replica] = connection
        try:
            headers = {"content-type": "application/json; charset=UTF-8"}
            connection.request("POST", f"/hooks/atfinity/{SECRET}", data, headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body)
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            del self._open[replica]
            return 0, {}
