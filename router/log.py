"""Logs: one line per event and one per attempt, as JSON or for a terminal.

Channel names, never URLs or secrets; case ids, never case names.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from router.settings import Settings

Logger = structlog.typing.FilteringBoundLogger


def get_logger() -> Logger:
    """Return the router's logger."""
    logger: Logger = structlog.get_logger()
    return logger


def set_up_logs(settings: Settings, scrub: Callable[[str], str]) -> None:
    """Write all logs, ours and the libraries', to stdout; `scrub` takes the secrets out."""
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
    handler = logging.StreamHandler(sys.stdout)
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


def _as_json(line: Any, **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def _scrubbed(scrub: Callable[[str], str]) -> structlog.typing.Processor:
    def processor(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> str:
        return scrub(str(line))

    return processor
