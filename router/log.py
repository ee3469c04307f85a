"""Logs: one line per event and one per attempt, as JSON or for a terminal.

Channel names, never URLs or secrets; case ids, never case names.
Whoever logs never waits for whoever reads: lines are written by a thread of their own
(log_writer.py).
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from router.log_writer import LogWriter
    from router.settings import Settings

Logger = structlog.typing.FilteringBoundLogger


def get_logger() -> Logger:
    """Return the router's logger."""
    logger: Logger = structlog.get_logger()
    return logger


def set_up_logs(settings: Settings, scrub: Callable[[str], str], writer: LogWriter) -> None:
    """Give all logs, ours and the libraries', to `writer`; `scrub` takes the secrets out."""
    as_json = (settings.log_format or ("console" if sys.stdout.isatty() else "json")) == "json"
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        # A line below the level costs nothing: no processor is asked.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
                _scrubbed(scrub),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Handler(logging.Handler):
    """Gives formatted lines to the writer."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - logging's own way: a line that cannot be made is told
            self.handleError(record)


class Repeated:
    """Tells a fault that comes again and again: at first, then once a minute with a count, and
    when it is over."""

    EVERY = 60.0

    def __init__(self, event: str) -> None:
        self._event = event
        self._faults: dict[str, tuple[float, int]] = {}  # name -> when it was last logged, times

    def note(self, name: str, error: BaseException, *, expected: bool) -> None:
        """Log a fault of `name`; what was not expected comes with its traceback."""
        if times := self._count(name):
            line = get_logger().bind(what=name, times=times, reason=_one_line(error))
            if expected:
                line.error("ledger_unavailable")
            else:
                line.error(self._event, exc_info=error)

    def warn(self, name: str, reason: str) -> None:
        """Log as a warning that `name` is not as it should be, by no fault of its own."""
        if times := self._count(name):
            get_logger().warning(self._event, what=name, times=times, reason=reason)

    def _count(self, name: str) -> int:
        """Count one more; returns how many there were if they are to be logged now, else 0."""
        moment = time.monotonic()
        logged_at, times = self._faults.get(name, (moment - self.EVERY, 0))
        times += 1
        is_due = moment - logged_at >= self.EVERY
        self._faults[name] = (moment if is_due else logged_at, times)
        return times if is_due else 0

    def over(self, name: str) -> None:
        """It went well this time."""
        if self._faults and (fault := self._faults.pop(name, None)) is not None:
            get_logger().warning(f"{self._event}_over", what=name, times=fault[1])


def _one_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _as_json(line: Any, **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def _scrubbed(scrub: Callable[[str], str]) -> structlog.typing.Processor:
    def processor(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> str:
        return scrub(str(line))

    return processor
