"""Figures of the parts: matching, and sending over TLS."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import trustme
import urllib3

from benchmarks.table import Row
from benchmarks.wire import serve_sink
from router.condition import AllOf, Condition, Equals, Field, Glob, OneOf, Test
from router.match import Index
from router.match.evaluate import holds

if TYPE_CHECKING:
    from collections.abc import Callable

TRIGGERS = [f"trigger_{n}" for n in range(9)]


def _conditions(count: int) -> list[Condition]:
    luck = random.Random(7)
    made: list[Condition] = []
    for number in range(count):
        process = f"process_{luck.randrange(max(5, count // 20))}"
        either = OneOf((Equals(process), Equals("other")))
        tests: list[Test] = [Equals(process), either, Glob(f"{process}_*")]
        lines = (
            Field("trigger", Equals(luck.choice(TRIGGERS))),
            Field("process_key", luck.choice(tests)),
            Field("current_state_key", Equals(f"state_{number % 7}")),
        )
        made.append(AllOf(lines))
    return made


def _events(count: int, rules: int) -> list[dict[str, Any]]:
    luck = random.Random(8)
    return [
        {
            "trigger": luck.choice(TRIGGERS),
            "process_key": f"process_{luck.randrange(max(5, rules // 20))}",
            "current_state_key": f"state_{luck.randrange(7)}",
            "case_id": number,
            "source": "s",
        }
        for number in range(count)
    ]


def _per_event(work: Callable[[dict[str, Any]], Any], events: list[dict[str, Any]]) -> float:
    for event in events:
        work(event)
    began = time.perf_counter()
    for event in events:
        work(event)
    return (time.perf_counter() - began) / len(events) * 1e6


def matching() -> list[Row]:
    """Microseconds to match an event at 10 to 100,000 rules, against asking each rule."""
    rows = []
    for count in (10, 100, 1_000, 10_000, 100_000):
        rules = _conditions(count)
        events = _events(500, count)
        index = Index(rules, {})
        some = events[: max(2, 20_000 // count)]
        naive = _per_event(lambda e, r=rules: [n for n, c in enumerate(r) if holds(c, e, {})], some)  # type: ignore[misc]
        found = _per_event(index.match, events)
        for event in some:
            expected = [n for n, c in enumerate(rules) if holds(c, event, {})]
            if index.match(event).rules != expected:
                raise AssertionError("the index and the evaluator differ")
        aim = {1_000: "<= 10 us", 100_000: "<= 500 us"}.get(count, "")
        rows.append(Row(f"match an event, {count:,} rules", found, "us", naive, "naive", aim))
        if count == 1_000:
            rows.append(Row("match an event, 1,000 rules", found, "us", _cel(rules, events),
                            "CEL (Rust binding)", ""))  # fmt: skip
    return rows


def _cel(rules: list[Condition], events: list[dict[str, Any]]) -> float:
    import cel  # noqa: PLC0415 - a reference, only here

    def source(condition: Condition) -> str:
        if isinstance(condition, AllOf):
            return " && ".join(source(part) for part in condition.parts)
        if not isinstance(condition, Field):
            raise TypeError(condition)
        test, path = condition.test, condition.path
        if isinstance(test, Equals):
            return f'{path} == "{test.value}"'
        if isinstance(test, OneOf):
            values = ", ".join(f'"{t.value}"' for t in test.tests if isinstance(t, Equals))
            return f"{path} in [{values}]"
        if isinstance(test, Glob):
            return f'{path}.startsWith("{test.pattern[:-1]}")'
        raise TypeError(test)

    programs = [cel.compile(source(rule)) for rule in rules]
    return _per_event(lambda e: [n for n, p in enumerate(programs) if p.execute(e)], events[:20])


def sending(count: int) -> list[Row]:
    """Slack messages per second over TLS, and CPU for each, against apprise and a bare client."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    port = _sink_in_a_process(context)
    with tempfile.TemporaryDirectory() as folder:
        bundle = str(Path(folder) / "ca.pem")
        # What a real machine trusts: reading it anew for each send is what stock apprise pays for.
        known = Path(certifi.where()).read_bytes() + authority.cert_pem.bytes()
        Path(bundle).write_bytes(known)
        stock = _timed(_stock_apprise(port, bundle), max(20, count // 50))
        bare = _timed(_bare_client(port, bundle), count)
        ours = _timed(_ours(port, bundle), count)
    return [
        Row("Slack over TLS, sends/s", ours[0], "1/s", stock[0], "stock apprise", ">= 20"),
        Row("Slack over TLS, sends/s", ours[0], "1/s", bare[0], "a bare pooled client", ">= 0.6"),
        Row("Slack over TLS, CPU per send", ours[1], "us", stock[1], "stock apprise", ""),
        Row("Slack over TLS, CPU per send", ours[1], "us", bare[1], "a bare pooled client", ""),
    ]


def _sink_in_a_process(context: ssl.SSLContext) -> int:
    """A far end of its own process, on the other core, that ends with this one."""
    reading, writing = os.pipe()
    parent = os.getpid()
    if os.fork() == 0:
        logging.disable()

        async def serve() -> None:
            _, port = await serve_sink(lambda _b, _t: None, context)
            os.write(writing, f"{port}\n".encode())
            while os.getppid() == parent:
                await asyncio.sleep(0.5)

        try:
            asyncio.run(serve())
        finally:
            os._exit(0)
    return int(os.read(reading, 20))


def _timed(work: Callable[[], Any], count: int) -> tuple[float, float]:
    for _ in range(3):
        work()
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(count):
        work()
    took = time.perf_counter() - began
    return count / took, (time.process_time() - cpu) / count * 1e6


def _stock_apprise(port: int, bundle: str) -> Callable[[], Any]:
    """apprise as it comes: it must run before ours is put under it."""
    os.environ["REQUESTS_CA_BUNDLE"] = bundle
    import apprise  # noqa: PLC0415 - before anything of ours touches it
    from apprise.plugins.slack import NotifySlack  # noqa: PLC0415

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    NotifySlack.webhook_url = f"https://127.0.0.1:{port}/services"
    made = apprise.Apprise()
    made.add("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?image=no&footer=no")
    for service in made:
        service.throttle = lambda *_, **__: None

    def send() -> None:
        if not made.notify(body="Case approved: *KYC-7* Acme", title="Approved"):
            raise AssertionError("apprise did not deliver")

    return send


def _bare_client(port: int, bundle: str) -> Callable[[], Any]:
    pool = urllib3.PoolManager(ca_certs=bundle)
    payload = b'{"text": "' + b"x" * 900 + b'"}'
    headers = {"content-type": "application/json"}

    def send() -> None:
        answer = pool.request("POST", f"https://127.0.0.1:{port}/", body=payload, headers=headers)
        if answer.status != 200:
            raise AssertionError(answer.status)

    return send


def _ours(port: int, bundle: str) -> Callable[[], Any]:
    from router.delivery import Gateway  # noqa: PLC0415 - after stock apprise was timed
    from router.event import Event  # noqa: PLC0415
    from router.message import Delivery, Message  # noqa: PLC0415
    from router.rules import Channel  # noqa: PLC0415
    from router.secret import Redactor  # noqa: PLC0415

    hook = {"webhook": f"https://127.0.0.1:{port}/services/T/B/x"}
    channel = Channel(name="c", service="slack", options=hook)
    gateway = Gateway({"c": channel}, outbound="live", ca_bundle=bundle, redactor=Redactor([]))
    event = Event(1, "s", time.time(), b"{}", {"trigger": "case_approved", "case_id": 7})
    message = Message(
        title="Approved", body="Case approved: *KYC-7* Acme", format="slack", text="x",
        severity="success", colour="#1f8a4c", link="https://tenant.example/cases/7",
        because="You get this because of the rule.", rung="template",
    )  # fmt: skip
    delivery = Delivery(id=1, key="k", event=event, rule="r", channel="c", attempt=1)

    def send() -> None:
        outcome = gateway.send(delivery, message)
        if outcome.kind != "delivered":
            raise AssertionError(outcome)

    return send
