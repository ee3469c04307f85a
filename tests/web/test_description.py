"""The API's description is so: each route is in it, each answer has its shape, to the key."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from far_end import Answer, HttpFarEnd, wait_until
from router.web.app import ROUTES
from router.web.operations import OPERATIONS
from router.web.reference import description
from running import ROOT, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: "{url}/x" }} }}
  gone: {{ webhook: {{ url: "{url}/gone" }} }}
  rests: {{ webhook: {{ url: "{url}/x" }}, paused: true }}
rules:
  - {{ name: all, when: {{ trigger: case_created }}, notify: [sink, gone, rests] }}
  - {{ name: later, when: {{ trigger: case_created }}, after: 2h, notify: sink }}
"""
TOKEN = "the-api-token-0123456789"
MINE = {"Authorization": f"Bearer {TOKEN}"}
EVENT = {"trigger": "case_created", "case_id": 1, "case_name": "Acme"}


def strict(schema: Any) -> Any:
    """The same description, with no room for keys it does not name."""
    if isinstance(schema, dict):
        made = {key: strict(value) for key, value in schema.items()}
        if "properties" in schema and schema["properties"].keys() != {"kind"}:
            made["additionalProperties"] = False
        return made
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


DESCRIPTION = json.loads(json.dumps(description()))


def validator(schema: Any) -> jsonschema_rs.Validator:
    components = deepcopy(DESCRIPTION["components"])
    # What is made of two shapes cannot be closed in each of them.
    shapes = components["schemas"]
    parts = shapes["PreviewedMessage"]["allOf"]
    shapes["PreviewedMessage"] = deepcopy(shapes["Message"])
    shapes["PreviewedMessage"]["properties"] |= parts[1]["properties"]
    shapes["PreviewedMessage"]["required"] += parts[1]["required"]
    closed = strict({**schema, "components": components})
    return jsonschema_rs.Draft202012Validator(closed)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with HttpFarEnd() as far:
        far.by_path = {"/gone": Answer(404, b"no such thing")}.get
        folder = tmp_path_factory.mktemp("described")
        made = Running(folder, RULES.format(url=far.url), {"ROUTER_API_TOKEN": TOKEN})
        made.start()
        made.post(EVENT)
        made.post({"trigger": "case_comment"})
        made.post(b"no event")
        path = "/api/deliveries?state="
        wait_until(lambda: made.request("GET", path + "failed", None, MINE)[1]["items"])
        wait_until(lambda: made.request("GET", path + "sent", None, MINE)[1]["items"])
        yield made
        made.stop()


def test_every_route_of_the_api_is_described_and_nothing_else() -> None:
    routes = {
        (method, re.sub(r":\w+\}", "}", path))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods - {"OPTIONS"}
        if path.startswith("/api/")
    }
    beside = {("GET", "/livez"), ("GET", "/readyz")}
    assert routes | beside == set(OPERATIONS)
    told = {(m.upper(), path) for path, methods in DESCRIPTION["paths"].items() for m in methods}
    hooks = {("POST", "/hooks/{source}"), ("POST", "/hooks/{source}/{secret}")}
    assert told == routes | beside | hooks


def test_the_description_holds_together_and_names_no_other_host() -> None:
    text = json.dumps(DESCRIPTION)
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
        assert name in DESCRIPTION["components"]["schemas"]
    assert "://" not in text
    names = [one["operationId"] for m in DESCRIPTION["paths"].values() for one in m.values()]
    assert len(names) == len(set(names))
    assert all(one["summary"] for m in DESCRIPTION["paths"].values() for one in m.values())


# Path with its real ids, and the body that is sent.
CALLS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/api/events", None),
    ("GET", "/api/events/{1}", None),
    ("GET", "/api/events/{3}", None),
    ("GET", "/api/deliveries", None),
    ("GET", "/api/deliveries/{1}", None),
    ("GET", "/api/deliveries/{2}", None),
    ("POST", "/api/deliveries/{1}/resend", {"fresh": True}),
    ("POST", "/api/deliveries/{3}/resend", None),
    ("POST", "/api/deliveries/{3}/cancel", None),
    ("POST", "/api/deliveries/{3}/cancel", None),
    ("POST", "/api/deliveries/{99}/cancel", None),
    ("GET", "/api/rules", None),
    ("POST", "/api/reload", None),
    ("POST", "/api/preview", EVENT),
    ("POST", "/api/preview", {}),
    ("POST", "/api/channels/{sink}/pause", {"reason": "r"}),
    ("POST", "/api/channels/{sink}/pause", {}),
    ("GET", "/api/channels", None),
    ("POST", "/api/channels/{sink}/resume", None),
    ("POST", "/api/channels/{sink}/test", None),
    ("POST", "/api/channels/{none}/test", None),
    ("GET", "/api/timers", None),
    ("GET", "/api/timers?cursor=x", None),
    ("POST", "/api/timers/cancel", {"rule": "all", "dry_run": True}),
    ("POST", "/api/timers/cancel", {"channel": "rests"}),
    ("POST", "/api/timers/cancel", {}),
    ("GET", "/api/status", None),
    ("POST", "/api/mutes", {"name": "sink", "for": "1h", "reason": "r"}),
    ("POST", "/api/mutes", {"name": "sink"}),
    ("GET", "/api/mutes", None),
    ("DELETE", "/api/mutes/{1}", None),
    ("DELETE", "/api/mutes/{1}", None),
    ("GET", "/api/mutes?ended=1", None),
    ("GET", "/api/audit", None),
    ("GET", "/api/audit?what=dance", None),
    ("GET", "/api/openapi.json", None),
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
)


def test_every_answer_has_the_shape_that_is_described(running: Running) -> None:
    asked = set()
    for method, path, body in CALLS:
        address = path.replace("{", "").replace("}", "")
        data = json.dumps(body).encode() if body is not None else b"" if method == "POST" else None
        status, answer = running.request(method, address, data, MINE)
        operation = _operation(method, path.partition("?")[0])
        content = operation["responses"][str(status)]["content"]
        (schema,) = (one["schema"] for one in content.values())
        for error in validator(schema).iter_errors(answer):
            raise AssertionError(f"{method} {address}: {status}: {error}")
        asked.add((method, operation["operationId"]))
    assert len(asked) == len(OPERATIONS)


def _operation(method: str, given: str) -> dict[str, Any]:
    wanted = re.sub(r"\{[^}]*\}", "{}", given)
    (found,) = (
        methods[method.lower()]
        for path, methods in DESCRIPTION["paths"].items()
        if re.sub(r"\{[^}]*\}", "{}", path) == wanted and method.lower() in methods
    )
    return dict(found)


def test_an_event_and_a_delivery_have_the_keys_of_the_contract(running: Running) -> None:
    event = running.request("GET", "/api/events/1", None, MINE)[1]
    assert set(event) >= set(
        "id received_at source trigger case_id body ruleset decisions deliveries".split()
    )
    assert event["body"] == EVENT
    assert set(event["decisions"][0]) >= {"rule", "matched", "reason", "conditions"}
    sent = next(one for one in event["deliveries"] if one["channel"] == "sink")
    keys = "id rule channel state due_at attempts message reason"
    assert set(sent) >= set(keys.split())
    keys = "number at elapsed outcome status detail"
    assert set(sent["attempts"][0]) == set(keys.split())
    assert set(sent["message"]) >= {"title", "body", "format"}
    listed = running.request("GET", "/api/deliveries?channel=sink&case=1", None, MINE)[1]["items"]
    assert sent in listed
    (again,) = running.request("GET", "/api/events?case=1", None, MINE)[1]["items"]
    assert again == event


def test_timers_are_a_list_like_the_others(running: Running) -> None:
    for case in (8, 9):
        running.post({**EVENT, "case_id": case})
    found, cursor = [], ""
    while True:
        status, page = running.request("GET", f"/api/timers?limit=1&cursor={cursor}", None, MINE)
        assert status == 200
        assert len(page["items"]) <= 1
        found += page["items"]
        if (cursor := page["next"]) is None:
            break
    whole = running.request("GET", f"/api/timers?limit={len(found)}", None, MINE)[1]
    assert {timer["case"] for timer in found} >= {"8", "9"}
    assert whole == {"items": found, "next": None}


def test_a_posted_object_that_is_no_event_is_listed_as_it_was_posted(running: Running) -> None:
    for body, told in ((b'{"case_id": 7}', {"case_id": 7}), (b"[1]", "[1]"), (b"no", "no")):
        status, answer = running.post(body)
        assert status == 400
        assert answer["title"] == "bad request"
        (listed,) = running.request("GET", "/api/events?limit=1", None, MINE)[1]["items"]
        assert listed["id"] == answer["event"]
        assert listed["body"] == told
        assert listed["rejected"] == answer["detail"]
        assert listed["decisions"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/events/0", 404),
        ("GET", "/api/events/99999999999999999999999", 404),
        ("GET", "/api/events/x", 404),
        ("POST", "/api/deliveries/99999999999999999999999/resend", 404),
        ("DELETE", "/api/mutes/99999999999999999999999", 404),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/events", 405),
        ("GET", "/api/reload", 405),
        ("POST", "/livez", 405),
        ("GET", "/api/events?limit=0", 400),
        ("GET", "/api/events?limit=99999999999999999999999", 200),
        ("GET", "/api/events?cursor=-1", 400),
        ("GET", "/api/timers?limit=0", 400),
        ("GET", "/api/timers?colour=red", 400),
        ("POST", "/hooks/atfinity/wrong", 404),
        ("PUT", "/hooks/atfinity/wrong", 405),
        ("GET", "/api/events?until=9999999999d", 400),
        ("GET", "/api/events?since=0001-01-01", 200),
        ("GET", "/api/events?q=%00&case=%00", 200),
        ("POST", "/api/preview", 400),
        ("POST", "/api/mutes", 400),
    ],
)
def test_whatever_is_asked_is_answered_in_problem_details(
    running: Running, method: str, path: str, status: int
) -> None:
    data = b"[1]" if method == "POST" else None
    found, answer = running.request(method, path, data, MINE)
    assert found == status
    if found >= 400:
        assert answer["status"] == found
        assert answer["title"]
        assert answer["type"] == "about:blank"


def test_a_body_that_is_too_large_is_a_problem_too(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    # It is refused by what it says of its length, before any of it is sent.
    connection.putrequest("POST", "/api/preview")
    for name, value in {**MINE, "content-length": "1100000"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    connection.close()
    assert (reply.status, answer["status"]) == (413, 413)
    assert answer["detail"] == "the body is too large"


def test_the_page_and_the_command_tell_the_same(running: Running) -> None:
    assert running.request("GET", "/api/openapi.json", None, MINE)[1] == DESCRIPTION
    assert json.loads(running.command("openapi").stdout) == DESCRIPTION
    page = running.request("GET", "/api", None, {**MINE, "Accept": "text/html"})[1]
    for path in DESCRIPTION["paths"]:
        assert path in page


def test_nothing_that_can_be_asked_breaks_the_api(running: Running) -> None:
    """Asks each operation with what fits its description, and with what does not."""
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    schema.config.update(base_url=running.url)
    seen = set()
    for methods in schema.values():
        for method in methods:
            operation = methods[method]
            _ask(operation, schemathesis.GenerationMode.POSITIVE)
            if list(operation.iter_parameters()) or operation.body:
                _ask(operation, schemathesis.GenerationMode.NEGATIVE)
            seen.add(operation.label)
    assert len(seen) == len(OPERATIONS) + 2
    assert running.get("/readyz")[0] == 200


def _ask(operation: Any, mode: Any) -> None:
    session = requests.Session()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = case.call(headers=MINE, session=session)
        assert answer.status_code < 500, answer.text
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.response_schema_conformance,
                schemathesis.checks.content_type_conformance,
            ],
        )

    with session:
        ask()


def test_the_client_of_the_docs_works(running: Running) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (client,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    environment = {**os.environ, "ROUTER_URL": running.url, "ROUTER_API_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-c", client],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^gone: the far end answered 404 Not Found.*; sent again as \d+$", done.stdout, re.M
    )
