"""One attack on one running router: what was answered, what it cost, and whether that is right."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
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
LETTING_GO = 15.0
MAX_LEFT_OPEN = 24
"""Files that pools of connections and threads may keep open once they were needed."""
MAX_LINES = 100
"""Lines of the log beside two for each post that was accepted."""


class Round(NamedTuple):
    """What was seen; `growth` is in megabytes, over what the router had just before.

    `left` is what was not as before once the attack was over. `before` are posts without any
    attack, `beside` those to another router meanwhile, that nobody attacked: so whatever else the
    machine is at counts for both.
    """

    attack: Attack
    answers: Counter[str]
    refused: Counter[str]
    growth: float
    lines: int
    health: Counter[str]
    left: tuple[str, ...]
    before: Posts
    beside: Posts
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
        faults += self.left
        if timed and self.is_slow():
            bound, took = self._bound(), self.under.percentile(0.99)
            faults.append(f"p99 {took:.0f} ms, not within {bound:.0f}")
        return faults

    def is_slow(self) -> bool:
        """Whether accepting took longer than it may."""
        return self.under.percentile(0.99) > self._bound()

    def _bound(self) -> float:
        usual = [p.percentile(0.99) for p in (self.before, self.beside) if p.accepted]
        return max(TIMES_SLOWER * max(usual, default=0.0), QUICK)


def start_router(folder: Path, descriptors: int) -> Running:
    """A router in a new folder, with a password and a token that are kept as hashes."""
    folder.mkdir(exist_ok=True)
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


class Attacked(NamedTuple):
    """A router that is attacked, the one beside it that is not, and how the first was before."""

    running: Running
    beside: Running | None
    before: Posts
    memory: float
    descriptors: int


async def observe(running: Running, beside: Running | None, seconds: float) -> Attacked:
    """Look at routers before any attack; posts are only measured if `seconds` are given."""
    before = Posts((), ())
    if seconds:
        await post_alone(target_of(running), 1.0)
        before = await post_alone(target_of(running), seconds)
    return Attacked(running, beside, before, memory_of(running), _descriptors(running))


async def attack(attacked: Attacked, number: int, seconds: float, pace: float = 500.0) -> Round:
    """Attack while the sender posts, and look at the router meanwhile and afterwards."""
    running = attacked.running
    target = target_of(running)._replace(pace=pace)
    lines, refused, memory = _lines(running), await _refused(target), memory_of(running)
    ended = asyncio.Event()
    watching = asyncio.create_task(_watch(running, target, ended))
    targets = [target] if attacked.beside is None else [target, target_of(attacked.beside)]
    posting = [asyncio.create_task(post_steadily(one, ended)) for one in targets]
    try:
        answers = await _perform(target, number, seconds)
    finally:
        ended.set()
    most, health = await watching
    under, *beside = await asyncio.gather(*posting)
    return Round(
        ATTACKS[number],
        answers,
        await _refused(target) - refused,
        most - memory,
        _lines(running) - lines,
        health,
        await _look_after(attacked),
        attacked.before,
        beside[0] if beside else Posts((), ()),
        under,
    )


async def _look_after(attacked: Attacked) -> tuple[str, ...]:
    """What is not as before the attacks, though the router had some seconds to let go of it."""
    deadline = time.monotonic() + LETTING_GO
    while True:
        left = []
        descriptors = _descriptors(attacked.running) - attacked.descriptors
        if descriptors > MAX_LEFT_OPEN:
            left.append(f"{descriptors} files left open")
        memory = memory_of(attacked.running) - attacked.memory
        if memory > MAX_GROWTH:
            left.append(f"{memory:.0f} MB more than before all attacks")
        ended = asyncio.Event()
        ended.set()
        after = await post_steadily(target_of(attacked.running), ended)
        if after.lost:
            left.append(f"a post afterwards: {after.lost[0]}")
        if not left or time.monotonic() > deadline:
            return tuple(left)
        await asyncio.sleep(0.2)


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
    most = memory_of(running)
    health: Counter[str] = Counter()
    turn = 0
    while not ended.is_set():
        if turn % 10 == 0:
            for path in ("/livez", "/readyz"):
                answer = await _get(target, path)
                health[answer[9:12] or f"{path}: no answer"] += 1
        turn += 1
        most = max(most, memory_of(running))
        await asyncio.sleep(0.05)
    return most, health


def memory_of(running: Running) -> float:
    """Megabytes that the router takes."""
    assert running.process is not None
    assert running.process.poll() is None, f"the router ended:\n{running.log.read_text()[-2000:]}"
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def _descriptors(running: Running) -> int:
    assert running.process is not None
    return sum(1 for _ in Path(f"/proc/{running.process.pid}/fd").iterdir())


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
