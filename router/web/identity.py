"""Who asks, as handlers see it: one function to know them, one to write down what they did."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from router.identity import Deed, Identity
    from router.service import Service

ANYONE = {"needs": "anyone"}
"""`opt=ANYONE` on a handler: no login is asked for."""
VIEWER = {"needs": "viewer"}
"""`opt=VIEWER` on a handler that only reads, though it is no GET."""


def request_identity(request: ASGIConnection[Any, Any, Any, Any]) -> Identity:
    """Who sent a request: `name`, `role`, and `may_act` (whether they are an operator).

    Every handler may ask, but for those that are open to anyone.
    A handler without an `opt` needs a viewer if it is a GET, and an operator otherwise: so what
    acts need not ask.
    """
    known: Identity = request.user
    return known


async def audit(
    request: ASGIConnection[Any, Any, Any, Any], what: Deed, about: str = "", detail: str = ""
) -> None:
    """Write down that the one who sent a request did something; call it once it is done.

        await audit(request, "resend", f"delivery {number}", "with fresh words")

    `about` is what it was done to, `detail` what else is to know; never a secret.
    Code that runs in a thread calls `service.audit(request_identity(request), ...)` instead.
    """
    service: Service = request.app.state.service
    await asyncio.to_thread(service.audit, request_identity(request), what, about, detail)
