"""Figures of a backlog: a storm on one slow channel, and 100,000 deliveries that wait."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.running import HOOK, SECRET, router
from benchmarks.service import body
from benchmarks.table import Row
from benchmarks.wire import post_all, serve_sink

if TYPE_CHECKING:
    from benchmarks.running import Process

CHANNELS = 50
ROUNDS = 9
"""Accepts are compared so often."""
HEAD = "version: 1\nsources: {{ bench: {{ secret: {secret} }} }}\n"
STORM = (
    HEAD
    + """
channels:
  chat: {{ webhook: {{ url: "http://127.0.0.1:{port}/" }}, rate: 1/s, burst: 4, overflow: digest }}
rules:
  - {{ name: all, when: {{ trigger: "case_*" }}, notify: chat, title: "{{{{ case_id }}}}" }}
"""
)
CHANNEL = """\
  c{n}: {{ webhook: {{ url: "http://127.0.0.1:{port}/" }}, concurrency: 1, paused: {paused} }}
"""
RULE = """\
  - {{ name: r{n}, when: {{ process_key: p{n} }}, notify: c{n}, title: "{{{{ case_id }}}}" }}
"""


def storm(events: int) -> list[Row]:
    """Events in ten seconds on a channel that takes one message a second."""

    async def run() -> tuple[float, int]:
        carried: set[int] = set()
        messages = 0

        def note(content: bytes, _at: float) -> None:
            nonlocal messages
            messages += 1
            told = json.loads(content)
            carried.update(one["case_id"] for one in told.get("events") or [told["event"]])

        server, port = await serve_sink(note)
        with tempfile.TemporaryDirectory() as folder:
            rules = STORM.format(secret=SECRET, port=port)
            with router(Path(folder), port, rules=rules) as process:
                began = time.perf_counter()
                for second in range(10):
                    part = range(second * events // 10, (second + 1) * events // 10)
                    await post_all(process.port, HOOK, [body(n) for n in part], 16)
                    await asyncio.sleep(max(0.0, began + second + 1 - time.perf_counter()))
                ended = time.perf_counter()
                await _until(lambda: len(carried) == events, 300)
                took = time.perf_counter() - ended
        server.close()
        return took, messages

    took, messages = asyncio.run(run())
    name = f"storm of {events:,} events in 10 s at 1/s: all carried after its end"
    return [
        Row(name, took, "s", None, "", "<= 60 s"),
        Row(f"messages that carried the {events:,} events", messages, "", None, "", ""),
    ]


def backlog(waiting: int) -> list[Row]:
    """Deliveries wait on 50 channels: accepting beside them, and draining them."""

    async def run() -> list[float]:
        arrived = 0

        def note(_content: bytes, _at: float) -> None:
            nonlocal arrived
            arrived += 1

        server, port = await serve_sink(note)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            few = max(1_000, waiting // 10)
            with router(folder, port, rules=_rules(port, paused=False)) as process:
                began = time.perf_counter()
                await post_all(process.port, HOOK, _bodies(0, few), 32)
                await _until(lambda: arrived == few, 600)
                without = few / (time.perf_counter() - began)
                (folder / "rules.yaml").write_text(_rules(port, paused=True), encoding="utf-8")
                await asyncio.to_thread(_reload, process)
                some = waiting // 50
                await post_all(process.port, HOOK, _bodies(few, waiting - ROUNDS * some), 32)
                before, beside = await _costs_of_accepts(process, port, some)
                memory = process.memory()
                (folder / "rules.yaml").write_text(_rules(port, paused=False), encoding="utf-8")
                arrived, began = 0, time.perf_counter()
                await asyncio.to_thread(_reload, process)
                await _until(lambda: arrived >= waiting, 1_800)
                drained = waiting / (time.perf_counter() - began)
                after = process.memory()
        server.close()
        return [without, before, beside, memory, drained, after]

    without, before, beside, memory, drained, after = asyncio.run(run())
    many = f"{waiting:,}"
    return [
        Row(f"drained/s, {many} waiting on {CHANNELS} channels", drained, "1/s", without,
            "posted and delivered with none waiting", ">= 0.8"),
        Row(f"CPU of 1,000 accepts while {many} wait", beside, "s", before, "none waiting",
            "<= 1.2"),
        Row("memory when they are drained", after, "MB", memory, "while they wait", "flat"),
    ]  # fmt: skip


async def _costs_of_accepts(full: Process, port: int, some: int) -> tuple[float, float]:
    """CPU seconds of a thousand accepts: of a router with nothing waiting, and of a `full` one."""
    costs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        rules = _rules(port, paused=True)
        with router(Path(folder), port, rules=rules) as empty:
            for number in range(ROUNDS):  # in turn, so that a noisy moment meets both
                bodies = _bodies(10_000_000 + number * some, some)
                costs.append((await _cpu(empty, bodies), await _cpu(full, bodies)))
    none, many = (sorted(column)[ROUNDS // 2] for column in zip(*costs, strict=True))
    return none, many


async def _cpu(process: Process, bodies: list[bytes]) -> float:
    before = process.cpu()
    await post_all(process.port, HOOK, bodies, 32)
    return (process.cpu() - before) / len(bodies) * 1_000


def _bodies(first: int, number: int) -> list[bytes]:
    """Events of cases that come again: five of each, on the same channel."""
    made = []
    for n in range(first, first + number):
        fields: dict[str, Any] = json.loads(body(n // CHANNELS // 5 * CHANNELS + n % CHANNELS))
        made.append(json.dumps({**fields, "process_key": f"p{n % CHANNELS}"}).encode())
    return made


def _rules(port: int, *, paused: bool) -> str:
    word = "true" if paused else "false"
    channels = [CHANNEL.format(n=n, port=port, paused=word) for n in range(CHANNELS)]
    rules = [RULE.format(n=n) for n in range(CHANNELS)]
    head = HEAD.format(secret=SECRET)
    return f"{head}channels:\n{''.join(channels)}rules:\n{''.join(rules)}"


def _reload(process: Process) -> None:
    address = f"http://127.0.0.1:{process.port}/api/reload"
    urllib.request.urlopen(urllib.request.Request(address, b"", method="POST"), timeout=60).close()


async def _until(true: Any, seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while not true():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"it took more than {seconds} s")
        await asyncio.sleep(0.02)
