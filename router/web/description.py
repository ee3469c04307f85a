"""The API's description (OpenAPI 3.1), made from its routes: nothing in it can be forgotten."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from router import __version__
from router.web.identity import SAFE
from router.web.operations import (
    BROKEN,
    NOT_READY,
    OPERATIONS,
    REFUSED,
    TAKEN,
    Operation,
)
from router.web.schemas import SCHEMAS, TEXT, WHOLE, Schema, said

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.handlers import HTTPRouteHandler

JSON, PROBLEM = "application/json", "application/problem+json"

ERRORS = {
    400: "it makes no sense; `detail` says what to send instead",
    401: "it is not known who asks",
    403: "who asks may not do it, or a page of another site asked",
    404: "there is no such thing",
    409: "the thing is not in a state for it",
    413: "the body is too large",
    429: "too many wrong passwords; `Retry-After` says how long to wait",
    503: "the database cannot be used now",
}
WORDS = """Answers are JSON, errors problem details (RFC 9457).
Lists are newest first; `next` is the cursor of the next page.
What acts needs an operator, what looks a viewer; `/hooks` has secrets of its own.
Keys may be added: leave alone what you do not know."""


def describe(routes: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """Describe the routes under /api, the hooks and the health, as OpenAPI."""
    paths: dict[str, Any] = {}
    for handler in routes:
        for template in handler.paths:
            path = re.sub(r":\w+\}", "}", template)
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                known = OPERATIONS.get((method, path))
                if known is not None:
                    paths.setdefault(path, {})[method.lower()] = _operation(
                        known, method, template, handler
                    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "router", "version": __version__, "description": WORDS},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"password": []}, {"session": []}],
        "paths": {**dict(sorted(paths.items())), **_hooks()},
        "components": {"schemas": SCHEMAS, "securitySchemes": _SCHEMES},
    }


_SCHEMES = {
    "token": said(
        {"type": "http", "scheme": "bearer"}, "made by `router token new`, or ROUTER_API_TOKEN"
    ),
    "password": said({"type": "http", "scheme": "basic"}, "any user name, and a password"),
    "session": said(
        {"type": "apiKey", "in": "cookie", "name": "router_session"}, "after a login, for browsers"
    ),
    "source": said({"type": "http", "scheme": "bearer"}, "the secret of the source"),
    "sourceBasic": said({"type": "http", "scheme": "basic"}, "the same as the password"),
    "sourceHeader": {"type": "apiKey", "in": "header", "name": "X-Router-Secret"},
    "sourceSignature": said(
        {"type": "apiKey", "in": "header", "name": "webhook-signature"},
        "Standard Webhooks, with webhook-id and webhook-timestamp",
    ),
}


def _operation(
    known: Operation, method: str, template: str, handler: HTTPRouteHandler
) -> dict[str, Any]:
    need = handler.opt.get("needs", "viewer" if method in SAFE else "operator")
    words = inspect.cleandoc(inspect.getdoc(handler.fn) or "").partition("\n\n")[0]
    in_path = re.findall(r"\{(\w+):(\w+)\}", template)
    made: dict[str, Any] = {
        "operationId": known.id,
        "summary": " ".join(words.split()),
        "tags": [template.split("/")[2 if template.startswith("/api/") else 1].partition(".")[0]],
        "parameters": [_in_path(name, kind) for name, kind in in_path]
        + [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in known.query.items()
        ],
        "responses": _responses(known, need, in_path=bool(in_path)),
        "x-role": need,
    }
    if need == "anyone":
        made["security"] = []
    if known.body is not None:
        content = {JSON: {"schema": known.body}}
        made["requestBody"] = {"required": known.needs_body, "content": content}
    return made


def _in_path(name: str, kind: str) -> dict[str, Any]:
    schema: Schema = {**WHOLE, "minimum": 1} if kind == "int" else {**TEXT, "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _responses(known: Operation, need: str, *, in_path: bool) -> dict[str, Any]:
    answers = {
        str(status): {
            "description": schema.get("description", "it is so"),
            "content": {JSON: {"schema": schema}},
        }
        for status, schema in known.answers.items()
    }
    told = set() if need == "anyone" else {401, 403, 429, 503}
    told |= {404} if in_path else set()
    told |= {400} if known.query or known.body is not None else set()
    told |= {413} if known.body is not None else set()
    told |= {409} if known.id in ("resend_delivery", "cancel_delivery") else set()
    told |= {400} if known.id in ("resume_channel", "pause_channel") else set()
    for status in sorted(told):
        answers[str(status)] = _problem(ERRORS[status], {"$ref": "#/components/schemas/Problem"})
    if known.id == "reload_rules":
        answers["422"] = _problem(BROKEN["description"], BROKEN)
    if known.id == "ready":
        answers["503"] = {"description": "not ready", "content": {JSON: {"schema": NOT_READY}}}
    return answers


def _problem(words: str, schema: Schema) -> dict[str, Any]:
    return {"description": words, "content": {PROBLEM: {"schema": schema}}}


def _hooks() -> dict[str, Any]:
    """Where events are posted: no route of Litestar's, so described here."""
    refused = {
        400: "it is no event; it is kept, with the reason",
        404: "the source or its secret is wrong (alike)",
        413: "it is larger than ROUTER_MAX_BODY",
        503: "it could not be written down; `Retry-After` says when to send it again",
    }
    answers: dict[str, Any] = {
        "202": {"description": TAKEN["description"], "content": {JSON: {"schema": TAKEN}}}
    }
    answers |= {str(status): _problem(words, REFUSED) for status, words in refused.items()}
    event = OPERATIONS["POST", "/api/preview"].body
    kept = ("source", "sourceBasic", "sourceHeader", "sourceSignature")
    forms: tuple[tuple[str, str, list[dict[str, list[str]]]], ...] = (
        ("/hooks/{source}", "post_event", [{name: []} for name in kept]),
        ("/hooks/{source}/{secret}", "post_event_with_secret", []),
    )
    return {
        path: {
            "post": {
                "operationId": name,
                "summary": "Take an event: answered once it is written down.",
                "tags": ["hooks"],
                "parameters": [_in_path(one, "str") for one in re.findall(r"\{(\w+)\}", path)],
                "requestBody": {"required": True, "content": {JSON: {"schema": event}}},
                "responses": answers,
                "security": security,
            }
        }
        for path, name, security in forms
    }
