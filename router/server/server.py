"""Serving an application on sockets, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from router.log import Repeated
from router.server.connections import LIMITS, Connections, Limits, raise_descriptors
from router.server.protocol import bound

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

SWEEP = 1.0
"""Seconds between two looks at connections that are silent."""

ACCEPTED_AT_ONCE = 8
"""Connections that are taken in one round of the event loop."""


class Server:
    """One HTTP server. Signals are left to who runs it."""

    def __init__(
        self,
        app: Any,
        *,
        proxies: Sequence[str],
        drain: float,
        max_body: int,
        refused: Callable[[str], None],
        limits: Limits = LIMITS,
    ) -> None:
        """`proxies` are networks whose `X-Forwarded-*` count; `drain` the seconds that a stop waits
        for answers; `max_body` the largest body that is taken; `refused` is called with the reason
        for each request or connection refused."""
        limits = limits._replace(
            unfinished=max(limits.unfinished, 4 * max_body),
            answering=max(limits.answering, 8 * max_body),
        )
        self.connections = Connections(raise_descriptors(), refused, limits)
        config = uvicorn.Config(
            _behind(list(proxies), app) if proxies else app,
            interface="asgi3",
            loop="none",
            http=bound(self.connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(drain)),
            backlog=2048,
        )
        self._uvicorn = _Uvicorn(config)

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these sockets until `stop`."""
        sweeping = asyncio.get_running_loop().create_task(self._sweep())
        try:
            await self._uvicorn.serve(sockets=with_copies(sockets))
        finally:
            sweeping.cancel()

    def stop(self) -> None:
        """Take nothing more, finish what is being answered, and return from `serve`."""
        self._uvicorn.should_exit = True

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        faults = Repeated("sweep_fault")
        while True:
            await asyncio.sleep(SWEEP)
            try:
                self.connections.sweep(loop.time())
            except Exception as error:  # noqa: BLE001 - told in the log; the next look is near
                faults.note("connections", error, expected=False)


def with_copies(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """The sockets, each ACCEPTED_AT_ONCE times.

    uvloop takes one connection from a socket in each round, so that a burst would wait for as many
    rounds as it has connections. Each copy takes one more.
    """
    for each in sockets:
        # A copy sets what its original is, for all processes that share it: and one that waits in
        # `accept` for a connection that another process took does nothing else.
        each.setblocking(False)
    return [each if not n else each.dup() for each in sockets for n in range(ACCEPTED_AT_ONCE)]


def _behind(proxies: list[str], app: Any) -> Any:
    """Let the word of these proxies count: for the address of who asks, and (web/identity.py) for
    who it is. So whose word it is has to be known too: `router.peer`."""
    forwarded = ProxyHeadersMiddleware(app, trusted_hosts=proxies)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        scope["router.peer"] = scope.get("client")
        await forwarded(scope, receive, send)

    return behind


class _Uvicorn(uvicorn.Server):
    """uvicorn, with the signals left to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
