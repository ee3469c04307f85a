"""The laws of liveness: who accepted, who answered, what health said meanwhile."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chaos.history import Bounds, History, Post

AFTERMATH = 5.0
"""Seconds after a fault in which a silence that begins still counts as the fault's."""
NOTICED = 0.5
"""Gaps between two accepts that are shorter than this are not looked into."""


class Silence(NamedTuple):
    """An interval in which a replica was posted to and accepted nothing."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def silences(posts: Sequence[Post]) -> list[Silence]:
    """Every interval in which posts to one replica were under way or refused, none accepted."""
    if not posts:
        return []
    accepts = sorted(post.ended for post in posts if post.status == 202)
    edges = [0.0, *accepts, max(post.ended for post in posts)]
    gaps = [(a, b) for a, b in itertools.pairwise(edges) if b - a > NOTICED]
    intervals = []
    for after, before in gaps:
        offers = [p.began for p in posts if p.ended > after and p.began < before]
        if offers:
            intervals.append(Silence(max(after, min(offers)), before))
    return [interval for interval in intervals if interval.seconds > NOTICED]


def longest_healthy_silence(history: History) -> tuple[float, str]:
    """The longest silence of a replica that no fault was about, and which replica it was."""
    longest = (0.0, "")
    for replica in history.replicas:
        about_it = [fault for fault in history.faults if replica in fault.victims]
        for silence in _silences_of(history, replica):
            during = [
                fault
                for fault in history.faults
                if silence.began < fault.ended + AFTERMATH and silence.ended > fault.began
            ]
            if during and not any(f in about_it for f in during):
                longest = max(longest, (silence.seconds, replica))
    return longest


def healthy_silence(history: History, bounds: Bounds) -> Iterator[str]:
    """A fault of one replica keeps no other from accepting for longer than the bound."""
    seconds, replica = longest_healthy_silence(history)
    if seconds > bounds.silence:
        yield f"{replica}, which was well, accepted nothing for {seconds:.1f} s"


def never_ready_and_silent(history: History, bounds: Bounds) -> Iterator[str]:
    """No replica says that it is ready while it accepts nothing that is posted to it."""
    for replica in history.replicas:
        longest = 0.0
        for silence in _silences_of(history, replica):
            if silence.seconds > bounds.ready_and_silent:
                longest = max(longest, _ready_within(history, replica, silence))
        if longest > bounds.ready_and_silent:
            yield f"{replica} said ready for {longest:.1f} s while it accepted nothing"


def no_dry_channel(history: History, bounds: Bounds) -> Iterator[str]:
    """No channel stands, with something due and its far end well, while every replica is ready."""
    for channel, course in sorted(history.courses.items()):
        if not course.well:
            continue
        longest = max(
            (
                _ready_everywhere(history, dry)
                for dry in _dry(history, channel)
                if not any(
                    fault.far_ends and dry.began < fault.ended and dry.ended > fault.began
                    for fault in history.faults
                )
            ),
            default=0.0,
        )
        if longest > bounds.ready_and_silent:
            yield f"{channel} stood for {longest:.1f} s, with work due and all replicas ready"


def answers_in_time(history: History, bounds: Bounds) -> Iterator[str]:
    """A replica that can be reached answers each post, at the latest with 503."""
    frozen = [fault for fault in history.faults if not fault.reachable]
    for replica in history.replicas:
        slow = [
            post.ended - post.began
            for post in history.posts
            if post.replica == replica
            and post.ended - post.began > bounds.answer
            and not any(
                replica in f.victims and post.began < f.ended and post.ended > f.began
                for f in frozen
            )
        ]
        if slow:
            yield f"{len(slow)} posts hung at {replica}, up to {max(slow):.1f} s"


def ends_well(history: History, bounds: Bounds) -> Iterator[str]:
    """At the end each replica is ready; one that ended by itself said why, with a status."""
    for replica, status in sorted(history.ready.items()):
        if status != 200:
            yield f"{replica} was not ready at the end ({status})"
    for end in history.exits:
        if end.supervised:
            continue
        if end.status not in bounds.may_exit or (end.status > 0 and not end.line):
            yield f"{end.replica} ended by itself with {end.status}: {end.line or 'without a word'}"


def readings(history: History, probe: str) -> str:
    """What a probe said under load: `200`, or for how long all replicas together said else."""
    parts: dict[str, float] = {}
    began = min((post.began for post in history.posts), default=0.0)
    for replica in history.replicas:
        samples = [
            sample
            for sample in history.samples
            if sample.replica == replica and sample.probe == probe and sample.at > began
        ]
        for sample, after in itertools.pairwise(samples):
            name = {0: "no answer", -1: "gone"}.get(sample.status, str(sample.status))
            parts[name] = parts.get(name, 0.0) + after.at - sample.at
    other = [f"{name} {seconds:.1f} s" for name, seconds in sorted(parts.items()) if name != "200"]
    return ", ".join(other) or "200"


def _silences_of(history: History, replica: str) -> list[Silence]:
    return silences([post for post in history.posts if post.replica == replica])


def _ready_within(history: History, replica: str, silence: Silence) -> float:
    """The longest stretch within a silence in which the replica said nothing but ready."""
    longest, since = 0.0, None
    for sample in history.samples:
        if sample.replica != replica or sample.probe != "readyz":
            continue
        if not silence.began <= sample.at <= silence.ended:
            continue
        if sample.status != 200:
            since = None
            continue
        since = sample.at if since is None else since
        longest = max(longest, sample.at - since)
    return longest


def _dry(history: History, channel: str) -> Iterator[Silence]:
    """Stretches in which something was due on a channel at every look, and nothing arrived."""
    arrivals = [arrival.at for arrival in history.arrivals if arrival.channel == channel]
    since: float | None = None
    last = 0.0
    for sample in history.due:
        if not sample.counts.get(channel) or any(last < at <= sample.at for at in arrivals):
            if since is not None:
                yield Silence(since, last)
            since = None
        if sample.counts.get(channel) and since is None:
            since = sample.at
        last = sample.at
    if since is not None:
        yield Silence(since, last)


def _ready_everywhere(history: History, dry: Silence) -> float:
    """For how long of it all replicas said ready; 0 if at any time one did not."""
    ready = all(
        sample.status == 200
        for sample in history.samples
        if sample.probe == "readyz" and dry.began <= sample.at <= dry.ended
    )
    return dry.seconds if ready else 0.0
