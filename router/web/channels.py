"""Channels: how each does, and what operators do about it: pause, resume, mute, a test message."""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from router.mute import begin_mute
from router.pools import PAGES
from router.problem import suggest
from router.send_test import send_test
from router.web.channel_state import (
    HOUR,
    HOURS,
    LOOKS_BACK,
    ChannelState,
    Known,
    channel_states,
    channel_view,
    pause_view,
)
from router.web.draw import fragment, page
from router.web.faults import BadRequest, NotThere
from router.web.forms import receive_form
from router.web.identity import audit, request_identity, service_of
from router.web.query import read_object

if TYPE_CHECKING:
    from router.ledger import Pause, Tally
    from router.message import Outcome
    from router.rules import Channel
    from router.service import Service

Asked = Request[Any, Any, Any]
Json = Response[dict[str, Any]]
Html = Response[str | None]

LONGEST = 300
"""Characters that are kept of a reason."""
_DID = {
    "paused": "is paused: what is for it waits until somebody lets it go on",
    "resumed": "goes on: what waited for it is being sent",
    "not-paused": "was not paused",
    "muted": "is muted: what is for it until then is not said, and counted",
}


@get("/channels")
async def channels(request: Asked) -> Html:
    """The page: how each channel does."""
    given = request.query_params
    known = service_of(request).rules.current.ruleset.channels
    did = _DID.get(given.get("did", "")) if given.get("channel") in known else None
    return await _page(request, did=did, channel=given.get("channel"))


@post("/channels/pause", status_code=303)
async def pause_from_page(request: Asked) -> Redirect:
    """Hold up a channel, and go back to the page."""
    form = await receive_form(request)
    channel = _channel(service_of(request), str(form.get("channel") or ""))
    await _pause(request, channel, str(form.get("reason") or ""))
    return _back("paused", channel)


@post("/channels/resume", status_code=303)
async def resume_from_page(request: Asked) -> Redirect:
    """Let a channel go on, and go back to the page."""
    form = await receive_form(request)
    channel = _channel(service_of(request), str(form.get("channel") or ""))
    ended = await _resume(request, channel)
    return _back("resumed" if ended else "not-paused", channel)


@post("/channels/mute", status_code=303)
async def mute_from_page(request: Asked) -> Redirect:
    """Silence a channel for a while, and go back to the page."""
    form = await receive_form(request)
    service = service_of(request)
    channel = _channel(service, str(form.get("channel") or ""))
    length, reason = str(form.get("for") or "").strip(), str(form.get("reason") or "")
    try:
        await PAGES.run(
            begin_mute,
            service.ledger,
            service.rules.current.ruleset,
            name=channel.name,
            kind="channel",
            length=length,
            reason=reason,
            author=request_identity(request).name,
            now=service.now(),
        )
    except ValueError as error:
        raise BadRequest(str(error)) from None
    await audit(request, "mute", f"channel {channel.name}", f"for {length}: {reason}")
    return _back("muted", channel)


@post("/channels/test", status_code=200)
async def test_from_page(request: Asked) -> Html:
    """Send a test message, and show what the far end answered."""
    form = await receive_form(request)
    channel = _channel(service_of(request), str(form.get("channel") or ""))
    outcome = await _test(request, channel)
    return await _page(request, channel=channel.name, tested=outcome)


@get("/api/channels")
async def list_channels(request: Asked) -> Json:
    """The channels: how each does, what waits for it and since when, its rate, what holds it up."""
    service = service_of(request)
    states = await PAGES.run(find_states, service)
    by_name = {state.channel.name: state for state in states}
    now = service.now()
    order = service.rules.current.ruleset.channels
    items = [channel_view(by_name[name], now) for name in order if name in by_name]
    return Response({"items": items, "next": None})


@post("/api/channels/{name:str}/pause", status_code=200)
async def pause(request: Asked) -> Json:
    """Hold up a channel over all processes: `{"reason"}`. Of two pauses the first one holds."""
    channel = _channel(service_of(request), request.path_params["name"])
    reason = read_object(await request.body()).get("reason")
    found, new = await _pause(request, channel, reason if isinstance(reason, str) else "")
    return Response({"channel": channel.name, "changed": new, "pause": pause_view(found)})


@post("/api/channels/{name:str}/resume", status_code=200)
async def resume(request: Asked) -> Json:
    """Let a paused channel go on."""
    channel = _channel(service_of(request), request.path_params["name"])
    ended = await _resume(request, channel)
    told = None if ended is None else pause_view(ended)
    return Response({"channel": channel.name, "changed": ended is not None, "pause": told})


@post("/api/channels/{name:str}/test", status_code=200)
async def test(request: Asked) -> Json:
    """Send one test message now, and tell what the far end answered."""
    channel = _channel(service_of(request), request.path_params["name"])
    outcome = await _test(request, channel)
    answer: dict[str, Any] = {
        "channel": channel.name,
        "outcome": outcome.kind,
        "status": outcome.status,
        "detail": outcome.detail,
        "elapsed": round(outcome.elapsed, 3),
    }
    if outcome.captured is not None:
        answer["captured"] = outcome.captured
    return Response(answer)


HANDLERS = [
    channels,
    pause_from_page,
    resume_from_page,
    mute_from_page,
    test_from_page,
    list_channels,
    pause,
    resume,
    test,
]


def find_states(service: Service) -> list[ChannelState]:
    """How every channel in force does now."""
    return channel_states(_channels(service).values(), _known(service), service.now())


def _known(service: Service) -> Known:
    ledger, now = service.ledger, service.now()
    return Known(
        lanes=ledger.desk.lanes(),
        waiting=ledger.desk.waiting(list(_channels(service))),
        sent=_by_name(ledger.desk.tallies("sent", now - LOOKS_BACK)),
        failed=_by_name(ledger.desk.tallies("failed", now - HOURS * HOUR)),
        mutes=tuple(ledger.desk.mutes()),
    )


def _mark(service: Service, known: Known) -> str:
    """A text that stays the same as long as the page would show the same."""
    now, hash_ = service.now(), service.rules.current.ruleset.hash
    over = [lane.channel for lane in known.lanes.values() if lane.rests_until <= now]
    # What is sent at its rate moves `next_at`, which is not shown.
    lanes = [msgspec.structs.replace(lane, next_at=0.0) for lane in known.lanes.values()]
    shown = (hash_, now // HOUR, over, lanes, known.waiting, known.sent, known.failed, known.mutes)
    return f'"{hashlib.sha256(repr(shown).encode()).hexdigest()[:24]}"'


async def _page(request: Asked, **given: Any) -> Html:
    """The whole page, or what is live of it for htmx (304 as long as it would show the same)."""
    service = service_of(request)
    live = request.method == "GET" and "hx-request" in request.headers
    seen = request.headers.get("if-none-match", "") if live else ""

    def draw() -> tuple[str, str | None]:
        known = _known(service)
        mark = _mark(service, known)
        if mark == seen:
            return mark, None
        states = channel_states(_channels(service).values(), known, service.now())
        shown = {
            "states": states,
            "headers": json.dumps({"If-None-Match": mark}),
            "did": None,
            "channel": None,
            "tested": None,
            **given,
        }
        if not live:
            return mark, page("channels.html.j2", service, **shown)
        acts = request_identity(request).may_act
        return mark, fragment("_channels.html.j2", now=service.now(), may_act=acts, **shown)

    mark, drawn = await PAGES.run(draw)
    status = 304 if drawn is None else 200
    return Response(drawn, status_code=status, headers={"etag": mark}, media_type="text/html")


async def _pause(request: Asked, channel: Channel, reason: str) -> tuple[Pause, bool]:
    if channel.paused:
        raise BadRequest(f"`{channel.name}` is paused in the rules already (`paused: true`)")
    words = " ".join(reason.replace("\0", "").split())[:LONGEST]
    if not words:
        raise BadRequest("a pause needs a `reason`: those who wait for a message will ask for it")
    service = service_of(request)
    author = request_identity(request).name
    found, new = await PAGES.run(
        lambda: service.ledger.desk.pause(channel.name, reason=words, author=author)
    )
    service.worker.wake()
    if new:
        await audit(request, "pause", f"channel {channel.name}", words)
    return found, new


async def _resume(request: Asked, channel: Channel) -> Pause | None:
    service = service_of(request)
    ended = await PAGES.run(service.ledger.desk.resume, channel.name)
    if ended is not None:
        service.worker.wake()
        await audit(request, "unpause", f"channel {channel.name}")
    if channel.paused:
        raise BadRequest(
            f"`{channel.name}` is paused in the rules: take `paused: true` out of"
            f" {service.settings.rules} to let it go on"
        )
    return ended


async def _test(request: Asked, channel: Channel) -> Outcome:
    service = service_of(request)
    gateway = service.rules.current.gateway
    outcome = await PAGES.run(
        send_test, gateway, channel, base_url=service.settings.base_url, now=service.now()
    )
    await audit(request, "test message", f"channel {channel.name}", outcome.detail)
    return outcome


def _channel(service: Service, name: str) -> Channel:
    known = _channels(service)
    found = known.get(name)
    if found is None:
        raise NotThere(f"there is no channel `{name[:100]}`; {suggest(name, known)}")
    return found


def _channels(service: Service) -> dict[str, Channel]:
    return service.rules.current.ruleset.channels


def _by_name(tallies: list[Tally]) -> dict[str, list[Tally]]:
    return {name: list(found) for name, found in groupby(tallies, lambda tally: tally.name)}


def _back(did: str, channel: Channel) -> Redirect:
    given = {"did": did, "channel": channel.name}
    return Redirect("/channels", query_params=given, status_code=303)
