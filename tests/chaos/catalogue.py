"""All scenarios: importing their modules registers them."""

from __future__ import annotations

from chaos import clocks, database_faults, limits, partitions, processes, surroundings
from chaos.scenario import REGISTRY

MODULES = (processes, partitions, database_faults, clocks, limits, surroundings)

__all__ = ["MODULES", "REGISTRY"]
