"""One attack on one running router: what was answered, what it cost, and whether that is right."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attack.catalogue import ATTACKS
from attack.sender import Posts, post_steadily
from attack.target import Target
from router.access import hash_password
from running import ROOT, SECRET, Running

if TYPE_CHECKING:
    from attack.catalogue import Attack

RULES = """version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
MAX_GROWTH = 100.0
"""Megabytes."""
TIMES_SLOWER = 2.0
QUICK = 25.0
"""Milliseconds of a p99 that is well whatever it was before: on two cores that the attacker and
the sender share, a p99 of 5 ms is a matter of luck."""
MAX_LINES = 100
"""Lines of the log beside two for each post that was accepted."""


class Round(NamedTuple):
    """What was seen; memory in megabytes."""

    attack: Attack
    answers: Counter[str]
    refused: Counter[str]
    growth: float
    lines: int
    health: Counter[str]
    before: Posts
    under: Posts

    def faults(self, *, timed: bool) -> list[str]:
        """What is not as it must be; `timed` asks for speed too."""
        faults = []
        if wrong := sorted(set(self.answers) - self.attack.answers):
            faults.append(f"answered {', '.join(f'{a} ({self.answers[a]})' for a in wrong)}")
        if not self.answers:
            faults.append("nothing was attacked")
        if lost := Counter(self.under.lost):
            faults.append(f"posts lost: {dict(lost)}")
        if not self.under.accepted:
            faults.append("nothing was accepted")
        if ill := {what: number for what, number in self.health.items() if what != "200"}:
            faults.append(f"health said {ill}")
        if self.growth > MAX_GROWTH:
            faults.append(f"{self.growth:.0f} MB more")
        if self.lines > 2 * len(self.under.accepted) + MAX_LINES:
            faults.append(f"{self.lines} lines logged")
        bound = max(TIMES_SLOWER * self.before.percentile(0.99), QUICK)
        if timed and self.under.percentile(0.99) > bound:
            faults.append(f"p99 {self.under.percentile(0.99):.0f} ms, not within {bound:.0f}")
        return faults


def start_router(folder: Path, descriptors: int) -> Running:
    """A router with a password and a token that are kept as hashes."""
    settings = {
        "ROUTER_ADMIN_PASSWORD": hash_password("the-password-of-operators"),
        "ROUTER_API_TOKEN": hash_password("the-token-of-scripts-0123456789"),
    }
    running = Running(folder, RULES, settings)
    running.wrapper = ("prlimit", f"--nofile={descriptors}:{descriptors}")
    running.start()
    return running


def target_of(running: Running) -> Target:
    return Target(running.port, SECRET)


async def post_alone(target: Target, seconds: float) -> Posts:
    """The sender without an attack."""
    ended = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, ended.set)
    return await post_steadily(target, ended)


async def attack(
    running: Running, number: int, seconds: float, before: Posts, pace: float = 500.0
) -> Round:
    """Attack while the sender posts, and look at the router meanwhile."""
    target = target_of(running)._replace(pace=pace)
    lines, refused = _lines(running), await _refused(target)
    memory = _memory(running)
    ended = asyncio.Event()
    posting = asyncio.create_task(post_steadily(target, ended))
    watching = asyncio.create_task(_watch(running, target, ended))
    try:
        answers = await _perform(target, number, seconds)
    finally:
        ended.set()
    under, (most, health) = await posting, await watching
    return Round(
        ATTACKS[number],
        answers,
        await _refused(target) - refused,
        most - memory,
        _lines(running) - lines,
        health,
        before,
        under,
    )


async def _perform(target: Target, number: int, seconds: float) -> Counter[str]:
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    arguments = (number, target.port, target.secret, target.pace, seconds)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "attack.perform", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    try:
        async with asyncio.timeout(120 + seconds):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return Counter(json.loads(output)) if output else Counter()


async def _watch(
    running: Running, target: Target, ended: asyncio.Event
) -> tuple[float, Counter[str]]:
    """Until it is over: the most memory, and what health said each half second."""
    most = _memory(running)
    health: Counter[str] = Counter()
    turn = 0
    while not ended.is_set():
        if turn % 10 == 0:
            for path in ("/livez", "/readyz"):
                answer = await _get(target, path)
                health[answer[9:12] or f"{path}: no answer"] += 1
        turn += 1
        most = max(most, _memory(running))
        await asyncio.sleep(0.05)
    return most, health


def _memory(running: Running) -> float:
    assert running.process is not None
    assert running.process.poll() is None, f"the router ended:\n{running.log.read_text()[-2000:]}"
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def _lines(running: Running) -> int:
    return running.log.read_bytes().count(b"\n")


async def _refused(target: Target) -> Counter[str]:
    """What the router counted as refused, by reason."""
    text = await _get(target, "/metrics", "Authorization: Bearer the-token-of-scripts-0123456789")
    pattern = r'^router_(?:connections|requests)_refused_total\{reason="(\w+)"\} (\S+)'
    found = re.findall(pattern, text, re.MULTILINE)
    return Counter({reason: int(float(number)) for reason, number in found})


async def _get(target: Target, path: str, header: str = "Accept: */*") -> str:
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            try:
                head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{header}"
                writer.write(head.encode() + b"\r\n\r\n")
                return (await reader.read()).decode("utf-8", "replace")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
