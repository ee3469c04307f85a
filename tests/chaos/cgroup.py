"""A limit of threads for a process, by a control group: root has no other."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

ROOTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


class ThreadLimit:
    """A control group in which so many threads may be; gone when it is left."""

    def __init__(self, threads: int) -> None:
        root = next((root for root in ROOTS if (root / "cgroup.procs").exists()), None)
        if root is None:
            raise LookupError("this machine has no control groups to limit threads with")
        self._folder = root / f"router-chaos-{os.getpid()}"
        self._threads = threads

    @property
    def prefix(self) -> list[str]:
        """A command that enters the group and becomes what follows."""
        enter = f'echo $$ > {self._folder / "cgroup.procs"} && exec "$@"'
        return ["sh", "-c", enter, "sh"]

    def __enter__(self) -> Self:
        self._folder.mkdir()
        limit = self._folder / "pids.max"
        if not limit.exists():
            self._folder.rmdir()
            raise LookupError("this machine's control groups do not count threads")
        limit.write_text(str(self._threads), encoding="ascii")
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + 5
        while (self._folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._folder.rmdir()

    def lift(self) -> None:
        """Allow any number."""
        (self._folder / "pids.max").write_text("max", encoding="ascii")
