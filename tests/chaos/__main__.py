"""`python -m chaos`: play the scenarios, print one table, exit 1 if any is red."""

from __future__ import annotations

import argparse
import platform
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chaos.catalogue import SCENARIOS
from chaos.report import Verdict, failed, judge, table
from chaos.rig import Rig
from chaos.stage import Stage

if TYPE_CHECKING:
    from chaos.scenario import Scenario

SECONDS = 12.0
SHORT_SECONDS = 4.0


def main() -> int:
    """Play what was asked for; returns the exit status."""
    options = _options()
    # SIGTERM ends a run as Ctrl-C does: with everything taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = random.randrange(2**31) if options.seed is None else options.seed
    seconds = options.seconds or (SHORT_SECONDS if options.short else SECONDS)
    scenarios = _chosen(options.only, short=options.short)
    _say(f"seed {seed}, {len(scenarios)} scenarios, Python {platform.python_version()}")
    began = time.monotonic()
    verdicts: list[Verdict] = []
    try:
        with Rig(options.keep) as rig:
            for number in range(options.rounds):
                for chosen in scenarios:
                    verdicts.append(_play(rig, chosen, seed + number, seconds, options.short))
                    _say(f"{time.monotonic() - began:6.0f} s  {'  '.join(verdicts[-1].cells)}")
    except KeyboardInterrupt:
        _say("interrupted")
    _say(f"\n{table(verdicts)}\n")
    red = [verdict.name for verdict in verdicts if verdict.red]
    _say(f"{len(verdicts)} played, {len(red)} red, {time.monotonic() - began:.0f} s; --seed {seed}")
    return 1 if red or len(verdicts) < len(scenarios) * options.rounds else 0


def _play(rig: Rig, chosen: Scenario, seed: int, seconds: float, short: bool) -> Verdict:
    missing = chosen.missing()
    if missing:
        return failed(chosen, f"{', '.join(missing)} is not there")
    bounds = chosen.bounds
    if short:  # a busy machine: what must hold is checked, how fast it is hardly
        bounds = msgspec.structs.replace(
            bounds,
            silence=bounds.silence * 3,
            ready_and_silent=bounds.ready_and_silent * 3,
            answer=bounds.answer * 3,
        )
    try:
        stage = Stage(rig, chosen, seed, seconds)
        history = stage.play()
    except Exception as error:  # noqa: BLE001 - one scenario that breaks is red, and others go on
        return failed(chosen, f"{type(error).__name__}: {error}")
    verdict = judge(chosen, history, bounds)
    if verdict.red:
        _keep(rig, stage.folder, history)
    return verdict


def _keep(rig: Rig, folder: Path, history: object) -> None:
    """Leave the history of a red run beside its logs; it stays where --keep names a folder."""
    (rig.folder / f"{folder.name}.json").write_bytes(msgspec.json.encode(history))


def _chosen(only: list[str], *, short: bool) -> list[Scenario]:
    if only:
        names = {entry.name: entry for entry in SCENARIOS}
        unknown = sorted(set(only) - set(names))
        if unknown:
            sys.exit(f"there is no scenario {', '.join(unknown)}; there are: {', '.join(names)}")
        return [names[name] for name in only]
    return [entry for entry in SCENARIOS if entry.short or not short]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="play the same again")
    parser.add_argument("--only", action="append", default=[], help="a scenario's name; repeatable")
    parser.add_argument("--seconds", type=float, help="how long a fault is on")
    parser.add_argument("--rounds", type=int, default=1, help="play all so often, seed by seed")
    parser.add_argument("--short", action="store_true", help="the form for CI: a minute")
    parser.add_argument("--keep", type=Path, help="a folder for logs and histories")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
