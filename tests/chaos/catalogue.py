"""All scenarios: importing their modules registers them."""

from __future__ import annotations

from chaos import clocks, database_faults, limits, partitions, processes, surroundings
from chaos.scenario import REGISTRY

MODULES = (processes, partitions, database_faults, clocks, limits, surroundings)
SCENARIOS = sorted(
    REGISTRY.values(),
    key=lambda entry: [module.__name__ for module in MODULES].index(entry.act.__module__),
)

__all__ = ["SCENARIOS"]
