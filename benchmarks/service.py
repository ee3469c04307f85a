"""Figures of the running service: accepting, latency, delivering, starting, memory."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from benchmarks.running import HOOK, alertmanager, alertmanager_path, bare, router
from benchmarks.table import Row
from benchmarks.wire import post_all, post_one, serve_sink


def body(number: int) -> bytes:
    """A realistic event of a case of its own."""
    fields = {
        "trigger": "case_state_changed",
        "case_id": number,
        "case_user_readable_id": f"KYC-{number}",
        "case_name": "Nordlicht Holding AG",
        "case_url": f"https://tenant.example/cases/{number}",
        "case_version": 7,
        "case_color": "green",
        "process_key": "kyc_process",
        "previous_state_key": "in_review",
        "current_state_key": "approved",
        "transition_key": "approve",
    }
    return json.dumps(fields).encode()


def accepts(events: int) -> list[Row]:
    """Durable accepts per second against a handler that does nothing."""
    bodies = [body(n) for n in range(events)]
    rates: dict[str, list[float]] = {"bare": [], "router": []}
    memory = after = ready = 0.0
    for _ in range(3):  # alternating, so that a noisy moment meets both
        with bare() as server:
            took = asyncio.run(post_all(server.port, "/", bodies, 32))
            rates["bare"].append(events / took)
        with (
            tempfile.TemporaryDirectory() as folder,
            router(Path(folder), 9, paused=True) as server,
        ):
            ready, memory = server.began, server.memory()
            took = asyncio.run(post_all(server.port, HOOK, bodies, 32))
            rates["router"].append(events / took)
            after = server.memory()
    found, reference = _median(rates["router"]), _median(rates["bare"])
    return [
        Row("durable accepts/s, 32 connections, SQLite FULL", found, "1/s", reference,
            "a bare Litestar handler", ">= 0.6"),
        Row("from start to ready", ready, "s", None, "", "<= 2 s"),
        Row("memory at rest", memory, "MB", None, "", "<= 150 MB"),
        Row(f"memory after {events:,} events accepted", after, "MB", memory, "at rest", ""),
    ]  # fmt: skip


async def _latency(
    port: int, arrived: dict[int, float], rate: float, seconds: float
) -> list[float]:
    posted: dict[int, float] = {}
    began = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        posted[number] = time.perf_counter()
        tasks.append(asyncio.create_task(post_one(port, HOOK, body(number))))
    await asyncio.gather(*tasks)
    for _ in range(500):
        if len(arrived) == len(posted):
            break
        await asyncio.sleep(0.01)
    return sorted((arrived[n] - at) * 1000 for n, at in posted.items())


async def _with_sink(work: object) -> list[Row]:
    arrived: dict[int, float] = {}

    def note(content: bytes, at: float) -> None:
        told = json.loads(content)
        number = told["event"]["case_id"] if "event" in told else int(
            told["alerts"][0]["labels"]["number"])  # fmt: skip
        arrived.setdefault(number, at)

    server, port = await serve_sink(note)
    try:
        return await work(arrived, port)  # type: ignore[operator,no-any-return]
    finally:
        server.close()


def latency() -> list[Row]:
    """From posting an event to the far end having its message, at 50 events a second."""

    async def work(arrived: dict[int, float], port: int) -> list[Row]:
        with tempfile.TemporaryDirectory() as folder, router(Path(folder), port) as server:
            await _latency(server.port, arrived, 50, 1)
            arrived.clear()
            found = await _latency(server.port, arrived, 50, 10)
        return [
            Row("event to far end at 50/s, p50", found[len(found) // 2], "ms", None, "", "<= 5 ms"),
            Row("event to far end at 50/s, p99", found[int(len(found) * 0.99)], "ms", None, "",
                "<= 25 ms"),
        ]  # fmt: skip

    return asyncio.run(_with_sink(work))


async def _delivered(arrived: dict[int, float], count: int, began: float) -> float:
    deadline = time.perf_counter() + 120
    while len(arrived) < count and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)
    if len(arrived) < count:
        raise RuntimeError(f"{len(arrived)} of {count} arrived")
    return count / (max(arrived.values()) - began)


def delivered(events: int) -> list[Row]:
    """Events posted and delivered per second on one core, against Alertmanager."""

    async def ours(arrived: dict[int, float], port: int) -> list[Row]:
        with tempfile.TemporaryDirectory() as folder, router(Path(folder), port) as server:
            await post_all(server.port, HOOK, [body(-n) for n in range(1, 200)], 8)
            await asyncio.sleep(1)
            arrived.clear()
            began = time.perf_counter()
            await post_all(server.port, HOOK, [body(n) for n in range(events)], 32)
            rate = await _delivered(arrived, events, began)
            return [Row("", rate, "", None, "", ""), Row("", server.memory(), "", None, "", "")]

    async def theirs(arrived: dict[int, float], port: int) -> list[Row]:
        with tempfile.TemporaryDirectory() as folder, alertmanager(Path(folder), port) as server:
            bodies = [
                json.dumps([{"labels": {"alertname": "case", "number": str(n)}}]).encode()
                for n in range(events)
            ]
            began = time.perf_counter()
            await post_all(server.port, "/api/v2/alerts", bodies, 32, b" 200 ")
            rate = await _delivered(arrived, events, began)
            return [Row("", rate, "", None, "", ""), Row("", server.memory(), "", None, "", "")]

    mine = asyncio.run(_with_sink(ours))
    reference, word = None, "Alertmanager is not installed"
    if alertmanager_path() is not None:
        reference, word = asyncio.run(_with_sink(theirs))[0].value, "Alertmanager (nothing on disk)"
    return [
        Row("posted and delivered/s, one core", mine[0].value, "1/s", reference, word,
            ">= 1,000/s"),
        Row(f"memory after {events:,} events delivered", mine[1].value, "MB", None, "", ""),
    ]  # fmt: skip


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
