"""What all scenarios of a run share: a folder, a PostgreSQL, a network."""

from __future__ import annotations

import contextlib
import itertools
import signal
import tempfile
from pathlib import Path
from typing import Self

from chaos.network import Network
from chaos.postgres import Server


class Rig:
    """Shared things, which are gone when it is left."""

    def __init__(self, keep: Path | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self._server: Server | None = None
        self._network: Network | None = None
        self._listening = False
        self._keep = keep

    def __enter__(self) -> Self:
        if self._keep is None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="router-chaos-"))
            self.folder = Path(folder)
        else:
            self._keep.mkdir(parents=True, exist_ok=True)
            self.folder = self._keep
        self.folder.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def server(self) -> Server:
        """The PostgreSQL of the run."""
        if self._server is None:
            self._server = Server(self.folder / "postgres")
            self._server.create()
            self._stack.callback(self._server.stop, signal.SIGINT)
        return self._server

    @property
    def network(self) -> Network:
        """The bridge of the run."""
        if self._network is None:
            self._network = self._stack.enter_context(Network())
        return self._network

    def listen_on_bridge(self) -> None:
        """Have PostgreSQL listen where the namespaces reach it."""
        if not self._listening:
            self.server.listen(self.network.address)
            self._listening = True

    def next_number(self) -> int:
        return next(self._numbers)
