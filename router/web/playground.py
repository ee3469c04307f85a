"""The playground: an event and the rules as one types them, and what would be said at once."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post

from router.ledger import Filters
from router.pools import PAGES, Crowded
from router.rulebook import texts_of
from router.trial import Aside, TooMuch
from router.view import stored_event
from router.web.draw import fragment, page
from router.web.event import MAIL_POLICY
from router.web.faults import BadRequest, NotThere
from router.web.forms import receive_form
from router.web.identity import VIEWER, request_identity, service_of
from router.web.rerun import WINDOWS, find_run, told
from router.web.show import pretty
from router.web.tryout import MOST, Form, edits_fault, plain, question_of, read_form, try_out

if TYPE_CHECKING:
    from router.in_force import InForce
    from router.ledger import EventRow
    from router.service import Service
    from router.trial import Answer

Asked = Request[Any, Any, Any]
Html = Response[str]

LATEST = 20
_FOLDER = Path(__file__).parent.parent / "samples"
SAMPLES = {
    path.stem.partition("_")[2]: path.read_text(encoding="utf-8")
    for path in sorted(_FOLDER.glob("*.json"))
}
"""An event of each trigger."""
# Parts of the page that have to be asked anew, once what htmx brought is in its place.
PICKED = {"hx-trigger-after-swap": "picked"}


@get("/playground")
async def show_playground(request: Asked) -> Html:
    """The page, with an event of the history (`?event=ID`) or a sample of a trigger."""
    service = service_of(request)
    query = request.query_params
    event, source = await PAGES.run(_pick, service, query.get("event") or _first())
    file = service.rules.current.files.name
    return await _page(request, Form(event=event, source=source, file=file))


@post("/playground", opt=VIEWER, status_code=200, request_max_body_size=MOST)
async def play(request: Asked) -> Html:
    """Try what was typed: for htmx the result alone, otherwise the page. Nothing is stored."""
    service = service_of(request)
    given = list((await receive_form(request)).multi_items())
    form = read_form(given, service.rules.current)
    if "hx-request" in request.headers:
        tried = await try_out(service, _aside(request), _who(request), form)
        if tried is None:  # a newer question is on its way
            return Response("", status_code=204)
        return _answer(fragment("_tried.html.j2", tried=tried), tried.wait)
    if dict(given).get("do") == "take":
        event, source = await PAGES.run(_pick, service, dict(given).get("event_id", ""))
        form = msgspec.structs.replace(form, event=event, source=source)
    return await _page(request, msgspec.structs.replace(form, file=form.wanted))


@post("/playground/tests", opt=VIEWER, status_code=200, request_max_body_size=MOST)
async def run_tests(request: Asked) -> Html:
    """How the rules' own tests end with the edited rules."""
    service = service_of(request)
    form = read_form(list((await receive_form(request)).multi_items()), service.rules.current)
    told = await _tests(service, _aside(request), _who(request), form)
    if not told:
        return Response("", status_code=204)
    return _answer(fragment("_tested.html.j2", **told), told["wait"])


@post("/playground/editor", opt=VIEWER, status_code=200, request_max_body_size=MOST)
async def open_file(request: Asked) -> Html:
    """The field with another file of the rules in it, or with the same as it is in force."""
    force = service_of(request).rules.current
    form = read_form(list((await receive_form(request)).multi_items()), force)
    form = msgspec.structs.replace(form, file=form.wanted)
    return _html(fragment("_editor.html.j2", **_editor(form, force)), PICKED)


@get("/playground/event")
async def take_event(request: Asked) -> Html:
    """The field with another event in it."""
    service = service_of(request)
    event, source = await PAGES.run(_pick, service, request.query_params.get("event_id"))
    sources = service.rules.current.ruleset.sources
    form = Form(event=event, source=source)
    return _html(fragment("_event_field.html.j2", form=form, sources=sources), PICKED)


@get("/playground/events")
async def find_events(request: Asked) -> Html:
    """What can be chosen: the samples, and the latest events with these words."""
    service = service_of(request)
    words = request.query_params.get("q", "").strip()
    rows = await PAGES.run(_latest, service, words)
    return _html(fragment("_choices.html.j2", rows=rows, samples=SAMPLES, words=words))


@post("/playground/mail", opt=VIEWER, status_code=200, request_max_body_size=MOST)
async def show_mail(request: Asked) -> Html:
    """A mail that the page was just told, drawn in a frame: it may run nothing and load nothing.

    A frame within the page would be under the page's own policy, and a mail has its style inline.
    """
    form = await receive_form(request)
    headers = {"content-security-policy": MAIL_POLICY}
    return _html(plain(str(form.get("mail", ""))), headers)


HANDLERS = [show_playground, play, run_tests, open_file, take_event, find_events, show_mail]


async def _page(request: Asked, form: Form) -> Html:
    service, aside = service_of(request), _aside(request)
    force = service.rules.current
    form = msgspec.structs.replace(form, mark=secrets.token_hex(8))  # nobody overtakes it
    tried = await try_out(service, aside, _who(request), form)
    tests = await _tests(service, aside, _who(request), form)
    run = await find_run(request)
    words = request.query_params.get("q", "").strip()

    def draw() -> str:
        return page(
            "playground.html.j2",
            service,
            tried=tried,
            rows=_latest(service, words),
            words=words,
            samples=SAMPLES,
            sources=force.ruleset.sources,
            windows=WINDOWS,
            **told(run),
            **tests,
            **_editor(form, force),
        )

    wait = max(tried.wait if tried else 0.0, tests.get("wait", 0.0))
    return _answer(await PAGES.run(draw), wait)


async def _tests(service: Service, aside: Aside, who: object, form: Form) -> dict[str, Any]:
    """What the part of the tests shows; nothing if the same page sent another form meanwhile."""
    number = len(service.rules.current.tests)
    shown: dict[str, Any] = {"in_force": number, "edited": bool(form.edits)}
    shown |= {"proof": None, "too_much": "", "wait": 0.0}
    if not form.edits or edits_fault(form):
        return shown
    question = msgspec.structs.replace(question_of(service, form, None), tests=True)
    try:
        answer: Answer | None = await aside.ask((who, form.mark, "tests"), question, who)
    except Crowded as error:
        return {**shown, "too_much": str(error), "wait": error.wait}
    except TooMuch as error:
        return {**shown, "too_much": str(error)}
    return {**shown, "proof": answer} if answer is not None else {}


def _editor(form: Form, force: InForce) -> dict[str, Any]:
    texts = texts_of(force.files)
    return {
        "form": form,
        "text": form.edits.get(form.file, plain(texts.get(form.file, ""))),
        "files": {
            "Rules": list(force.files.rules),
            "Tests": list(force.files.tests),
            "Templates": [name for name in texts if name.startswith("templates/")],
        },
        "kept": {name: text for name, text in form.edits.items() if name != form.file},
    }


def _pick(service: Service, chosen: str | None) -> tuple[str, str]:
    """The body of a stored event (its id) or of a sample (its trigger), and its source."""
    if not chosen:
        return "", ""
    if chosen in SAMPLES:
        return pretty(SAMPLES[chosen].encode(), None)[0], ""
    if not (chosen.isascii() and chosen.isdigit()):
        known = ", ".join(SAMPLES)
        raise BadRequest(f"`event` is the id of a stored event, or one of {known}")
    row = service.ledger.event(int(chosen)) if len(chosen) < 19 else None
    if row is None:
        raise NotThere(f"there is no event {chosen[:30]}; the list of events is at /")
    return pretty(row.body, None)[0], row.source


def _latest(service: Service, words: str) -> list[EventRow]:
    found = service.ledger.glance.events(Filters(q=words or None, limit=LATEST)).rows
    return [row for row in found if stored_event(row) is not None]


def _first() -> str:
    return "case_approved"


def _who(request: Asked) -> object:
    who = request_identity(request)
    # Where nobody is asked who they are, everybody has the same name.
    return who.way, who.name, who.address if who.way == "open" else ""


def _aside(request: Asked) -> Aside:
    aside: Aside = request.app.state.aside
    return aside


def _answer(text: str, wait: float) -> Html:
    """What came of it; where there was no turn for it, with when to try again."""
    if not wait:
        return _html(text)
    headers = {"retry-after": f"{wait:.0f}"}
    return Response(text, status_code=503, media_type="text/html", headers=headers)


def _html(text: str, headers: dict[str, str] | None = None) -> Html:
    return Response(text, media_type="text/html", headers=headers)
