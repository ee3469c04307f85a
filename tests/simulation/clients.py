"""atfinity in the simulation: it posts, and posts again until it is told 202."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chaos.history import Post
from router.scheduler import Reply
from simulation.workload import draw_event

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from chaos.history import Pair
    from router.scheduler import Scheduler
    from simulation.replica import Answered, Replica

TIMEOUT = 20.0
"""Seconds after which a client takes no answer for one."""


class Clients:
    """Threads that post; `posts` is every try, `expected` what each number should cause."""

    def __init__(
        self,
        chance: random.Random,
        scheduler: Scheduler,
        replicas: Callable[[], list[Replica]],
        tell: Callable[[str], None],
    ) -> None:
        self._chance = chance
        self._scheduler = scheduler
        self._replicas = replicas
        self._tell = tell
        self.posts: list[Post] = []
        self.expected: dict[int, tuple[Pair, ...]] = {}
        self.cases: dict[int, int] = {}
        """The case of each number."""
        self._number = 0
        self.open = 0

    def start(self, clients: int, seconds: float, pause: float) -> None:
        """Post for so many seconds, each client one event after the other."""
        end = self._scheduler.monotonic() + seconds
        for number in range(clients):
            self.open += 1
            self._scheduler.start(f"client-{number}", lambda: self._post_until(end, pause))

    def _post_until(self, end: float, pause: float) -> None:
        while self._scheduler.monotonic() < end:
            self._scheduler.sleep(self._chance.expovariate(1 / pause))
            self._number += 1
            number = self._number
            event, self.expected[number] = draw_event(self._chance, number)
            self.cases[number] = event["case_id"]
            body = json.dumps(event).encode()
            while not self._post(number, event["case_id"], body):
                self._scheduler.sleep(self._chance.uniform(0.2, 3.0))
        self.open -= 1

    def _post(self, number: int, case: int, body: bytes) -> bool:
        began = self._scheduler.monotonic()
        replicas = self._replicas()
        if not replicas:
            return False
        replica = replicas[self._chance.randrange(len(replicas))]
        reply: Reply[Answered] = Reply(self._scheduler)
        replica.post(body, reply)
        try:
            status, event = reply.wait(TIMEOUT)
        except TimeoutError:
            status, event = 0, None
        ended = self._scheduler.monotonic()
        self._tell(f"< {number} at {replica.process.name}: {status}, event {event}")
        name = replica.process.name
        self.posts.append(Post(number, case, name, began, ended, status, event))
        return status == 202
