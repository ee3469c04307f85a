"""A proxy that logs people in: its word counts from its network, and from nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
SSO = {
    "ROUTER_SSO_USER_HEADER": "X-Forwarded-User",
    "ROUTER_SSO_GROUPS_HEADER": "X-Forwarded-Groups",
    "ROUTER_SSO_OPERATORS": "anna, kyc team",
    "ROUTER_SSO_VIEWERS": "audit",
}


@pytest.fixture(
    scope="module", params=["127.0.0.0/8", "10.0.0.0/8"], ids=["trusted", "not trusted"]
)
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    settings = {**SSO, "ROUTER_TRUSTED_PROXIES": request.param, "ROUTER_API_TOKEN": "a-token-0123"}
    made = Running(tmp_path_factory.mktemp("proxy"), RULES, settings)
    made.start()
    yield made
    made.stop()


def trusted(running: Running) -> bool:
    return running.environment["ROUTER_TRUSTED_PROXIES"].startswith("127")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"X-Forwarded-User": "anna"}, 200, id="a listed user"),
        pytest.param(
            {"X-Forwarded-User": "b", "X-Forwarded-Groups": "x,kyc team"}, 200, id="group"
        ),
        pytest.param({"X-Forwarded-User": "eve"}, 403, id="on no list"),
        pytest.param({"X-Forwarded-User": ""}, 403, id="no name"),
        pytest.param({"X-Forwarded-Groups": "kyc team"}, 401, id="a group without a user"),
        pytest.param({}, 401, id="no word"),
    ],
)
def test_the_word_of_a_trusted_proxy_counts_and_no_other(
    proxied: Running, headers: dict[str, str], status: int
) -> None:
    # What a request says of where it comes from makes nobody trusted, nor takes the trust away.
    for more in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "8.8.8.8"}):
        found, answer = proxied.request("GET", "/api/events", None, {**headers, **more})
        assert found == (status if trusted(proxied) else 401), answer


def test_a_proxys_viewer_does_not_act(proxied: Running) -> None:
    ben = {"X-Forwarded-User": "ben", "X-Forwarded-Groups": "audit", "Origin": proxied.url}
    anna = {"X-Forwarded-User": "anna", "Origin": proxied.url}
    assert proxied.request("POST", "/api/reload", b"", ben)[0] == (403 if trusted(proxied) else 401)
    found, answer = proxied.request(
        "POST", "/api/reload", b"", {**anna, "X-Forwarded-For": "8.8.8.8"}
    )
    assert found == (200 if trusted(proxied) else 401), answer
    if trusted(proxied):
        told = proxied.get("/api/audit?what=reload", authorization="Bearer a-token-0123")[1][
            "items"
        ]
        assert [(one["who"], one["way"], one["address"]) for one in told] == [
            ("anna", "proxy", "8.8.8.8")
        ]


def test_a_token_works_beside_a_proxy(proxied: Running) -> None:
    assert proxied.get("/api/events", authorization="Bearer a-token-0123")[0] == 200


def test_without_any_password_the_page_says_who_logs_people_in(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = Running(
        tmp_path_factory.mktemp("alone"), RULES, {**SSO, "ROUTER_TRUSTED_PROXIES": "10.0.0.0/8"}
    )
    made.start()
    status, page = made.get("/", accept="text/html")
    made.stop()
    assert status == 401
    assert "the proxy in front of the router logs people in" in page
