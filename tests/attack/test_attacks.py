"""Each attack for a moment: answered as it must be, nothing lost, memory bounded, never unwell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from attack.catalogue import ATTACKS, FEW, MANY
from attack.round import attack, observe, start_router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attack.round import Round
    from running import Running

NAMES = [f"{entry.name}, {entry.descriptors} files" for entry in ATTACKS]


@pytest.fixture(scope="module")
def routers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Running]]:
    running = {
        descriptors: start_router(tmp_path_factory.mktemp("router"), descriptors)
        for descriptors in (FEW, MANY)
    }
    yield running
    for router in running.values():
        router.stop()


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=NAMES)
def test_an_attack_costs_senders_nothing(routers: dict[int, Running], number: int) -> None:
    running = routers[ATTACKS[number].descriptors]
    assert asyncio.run(_attack_briefly(running, number)).faults(timed=False) == []


async def _attack_briefly(running: Running, number: int) -> Round:
    return await attack(await observe(running, None, 0.0), number, 0.5, pace=5_000.0)
