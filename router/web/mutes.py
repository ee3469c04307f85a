"""The API of mutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, delete, get, post

from router.mute import begin_mute, mute_view
from router.pools import PAGES
from router.web.faults import BadRequest, NotThere
from router.web.identity import audit, request_identity, service_of
from router.web.query import read_id, read_object

if TYPE_CHECKING:
    pass

Json = Response[dict[str, Any]]


@get("/api/mutes")
async def list_mutes(request: Request[Any, Any, Any]) -> Json:
    """The mutes that hold; with `?ended=1` the last hundred of all."""
    service = service_of(request)
    ended = request.query_params.get("ended", "") not in ("", "0", "false")
    mutes = await PAGES.run(service.ledger.desk.mutes, ended=ended)
    return Response({"items": [mute_view(mute) for mute in mutes], "next": None})


@post("/api/mutes", status_code=201)
async def add_mute(request: Request[Any, Any, Any]) -> Json:
    """Begin a mute: `{"name", "for", "reason"}`, and `kind` where a name is of two things."""
    service = service_of(request)
    given = read_object(await request.body())
    for key in ("name", "for", "reason"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise BadRequest(f"`{key}` is missing: a mute has a `name`, `for` and a `reason`")
    kind, author = given.get("kind"), given.get("author")
    who = request_identity(request)

    def work() -> dict[str, Any]:
        mute = begin_mute(
            service.ledger,
            service.rules.current.ruleset,
            name=given["name"],
            kind=kind if isinstance(kind, str) else None,
            length=given["for"],
            reason=given["reason"],
            author=author if isinstance(author, str) else who.name,
            now=service.now(),
        )
        return mute_view(mute)

    try:
        begun = await PAGES.run(work)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    about = f"{begun['kind']} {begun['name']}"
    await audit(request, "mute", about, f"until {begun['until']}: {begun['reason']}")
    return Response(begun, status_code=201)


@delete("/api/mutes/{mute_id:int}", status_code=200)
async def end_mute(request: Request[Any, Any, Any]) -> Json:
    """End a mute before its time; the answer says how much it held back."""
    service = service_of(request)
    number = read_id(request, "mute_id")
    ended = await PAGES.run(service.ledger.desk.unmute, number)
    if not ended:
        raise NotThere(f"there is no mute {number} that holds")
    await audit(request, "unmute", f"{ended[0].kind} {ended[0].name}")
    return Response(mute_view(ended[0]))


HANDLERS = [list_mutes, add_mute, end_mute]
