"""Network namespaces: a replica in each, joined by a bridge, with what is dropped on the way."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Literal, Self

Direction = Literal["both", "in", "out"]


class Network:
    """A bridge on this machine and namespaces that hang on it; all of it is gone at the end."""

    def __init__(self) -> None:
        sweep()
        self._tag = f"rc{os.getpid()}"
        self._bridge = f"{self._tag}b"[:15]
        self._net = f"10.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
        self._names: list[str] = []
        self.address = f"{self._net}.1"
        """This machine's address, as the namespaces see it."""

    def __enter__(self) -> Self:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        sweep(os.getpid())

    def join(self) -> tuple[str, str]:
        """Make a namespace; returns its name and its address."""
        number = len(self._names) + 1
        name = f"{self._tag}n{number}"
        address = f"{self._net}.{10 + number}"
        outside, inside = f"{self._tag}v{number}"[:15], f"{self._tag}e{number}"[:15]
        self._names.append(name)
        _ip("netns", "add", name)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        _ip("link", "set", outside, "master", self._bridge, "up")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", inside)
        _ip("-n", name, "link", "set", inside, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        return name, address

    def drop(self, name: str, port: int, direction: Direction) -> None:
        """Drop all packets between a namespace and a port of this machine, without a word."""
        rules = ["table inet chaos {"]
        if direction in ("both", "out"):
            rules.append(_chain("output", f"ip daddr {self.address} tcp dport {port} drop"))
        if direction in ("both", "in"):
            rules.append(_chain("input", f"ip saddr {self.address} tcp sport {port} drop"))
        rules.append("}")
        _in(name, ["nft", "-f", "-"], "\n".join(rules))

    def heal(self, name: str) -> None:
        """Let everything through again."""
        _in(name, ["nft", "flush", "ruleset"])

    def unplug(self, name: str) -> None:
        """Take the namespace's cable out: database, far ends and posters are all gone."""
        number = name.rpartition("n")[2]
        _ip("link", "set", f"{self._tag}v{number}"[:15], "down")

    def plug(self, name: str) -> None:
        number = name.rpartition("n")[2]
        _ip("link", "set", f"{self._tag}v{number}"[:15], "up")


def sweep(pid: int | None = None) -> None:
    """Take away the namespaces and bridges of the run `pid`, or of runs that are no more."""
    for entry in sorted(Path("/run/netns").glob("rc*n*")):
        if _is_over(entry.name, pid):
            _ip("netns", "del", entry.name)
    for entry in sorted(Path("/sys/class/net").glob("rc*")):
        if entry.exists() and _is_over(entry.name, pid):
            subprocess.run(["ip", "link", "del", entry.name], check=False, capture_output=True)


def _is_over(name: str, pid: int | None) -> bool:
    match = re.match(r"rc(\d+)[nbve]", name)
    if match is None:
        return False
    run = int(match[1])
    return run == pid or (pid is None and not Path(f"/proc/{run}").exists())


def _chain(hook: str, rule: str) -> str:
    return f" chain {hook} {{ type filter hook {hook} priority 0; policy accept;\n  {rule}\n }}"


def _in(name: str, command: list[str], text: str = "") -> None:
    line = ["ip", "netns", "exec", name, *command]
    subprocess.run(line, input=text.encode(), check=True, capture_output=True, timeout=10)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)
