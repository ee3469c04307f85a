"""A bar on a terminal for what takes a while; elsewhere nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def watched(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The same things, with a bar on stderr while they are gone through."""
    if not sys.stderr.isatty():
        yield from things
        return
    from rich.console import Console  # noqa: PLC0415 - not for `--help`
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for number, thing in enumerate(things, 1):
            yield thing
            if number % 1000 == 0:
                bar.update(task, completed=number)
