"""The pages: what happened, and why."""

from __future__ import annotations

from typing import Any


def error_page(status: int, title: str, advice: str) -> str:
    return f"{status} {title} {advice}"


def page_handlers() -> list[Any]:
    return []
