"""All scenarios: importing their modules registers them."""

from __future__ import annotations

from chaos import processes
from chaos.scenario import REGISTRY

MODULES = (processes,)

__all__ = ["MODULES", "REGISTRY"]
