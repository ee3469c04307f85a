"""Sending one delivery again, or cancelling it, from its event's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, post
from litestar.response import Redirect

from router.pools import PAGES
from router.web.faults import Conflict, NotThere
from router.web.forms import receive_form
from router.web.identity import audit, request_identity
from router.web.query import read_id

if TYPE_CHECKING:
    from router.ledger import DeliveryRow
    from router.service import Service


@post("/deliveries/{delivery_id:int}/resend")
async def resend(request: Request[Any, Any, Any]) -> Redirect:
    """Send a delivery again, and go back to its event."""
    service: Service = request.app.state.service
    row = await _delivery(request)
    form = await receive_form(request)
    under = service.rules.current.ruleset.hash if form.get("fresh") else None
    answers = await PAGES.run(service.ledger.resend, [row.id], fresh_under=under)
    new = answers[0].new
    if new is None:
        raise Conflict(f"delivery {row.id} is not sent again: {answers[0].reason}")
    service.worker.wake()
    words = ", fresh words" if under else ""
    await audit(request, "resend", f"delivery {row.id}", f"as {new}{words}")
    return Redirect(f"/events/{row.event_id}?said={new}#d{new}", status_code=303)


@post("/deliveries/{delivery_id:int}/cancel")
async def cancel(request: Request[Any, Any, Any]) -> Redirect:
    """Cancel a delivery that waits, and go back to its event."""
    service: Service = request.app.state.service
    row = await _delivery(request)
    author = request_identity(request).name
    answers = await PAGES.run(service.ledger.cancel, [row.id], author=author)
    if not answers[0].done:
        raise Conflict(f"delivery {row.id} is not cancelled: {answers[0].reason}")
    service.worker.wake()
    await audit(request, "cancel", f"delivery {row.id}")
    return Redirect(f"/events/{row.event_id}?said={row.id}#d{row.id}", status_code=303)


async def _delivery(request: Request[Any, Any, Any]) -> DeliveryRow:
    service: Service = request.app.state.service
    number = read_id(request, "delivery_id")
    row = await PAGES.run(service.ledger.delivery, number)
    if row is None:
        raise NotThere(f"there is no delivery {number}")
    return row
