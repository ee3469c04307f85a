"""The first seam under apprise: all of its plugins end in `requests.request`, which is ours.

It is replaced once in a process; whose wire is used, the recorder of the send says.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import requests
import requests.api
import urllib3

from router.delivery.wire import recorder


def install() -> None:
    """Put ourselves under apprise; doing it again changes nothing."""
    requests.api.request = _request
    requests.request = _request


def _request(method: str, url: str, **given: Any) -> requests.Response:
    """Stand in for `requests.request`: the same answer, the same exceptions."""
    wire = recorder().wire
    body, headers, address = _prepared(method, url, given)
    verify = given.get("verify", True) is not False
    exchange = wire.send(method.upper(), address, body, headers, verify=verify)
    if exchange.error is not None:
        raise _as_requests(exchange.error) from exchange.error
    answer = requests.Response()
    answer.status_code = exchange.status or 0
    answer._content = exchange.answer  # noqa: SLF001 - how requests itself fills it
    answer.url = address
    if exchange.retry_after is not None:
        answer.headers["Retry-After"] = exchange.retry_after
    return answer


def _prepared(
    method: str, url: str, given: Mapping[str, Any]
) -> tuple[bytes | None, dict[str, str], str]:
    data = given.get("data")
    others = ("params", "auth", "files", "json", "cookies", "cert")
    if isinstance(data, str | bytes) and not any(given.get(name) for name in others):
        body = data.encode() if isinstance(data, str) else data
        headers = {k: str(v) for k, v in (given.get("headers") or {}).items() if v is not None}
        return body, headers, url
    names = ("headers", "files", "data", "params", "auth", "cookies", "json")
    made = requests.Request(method.upper(), url, **{n: given.get(n) for n in names}).prepare()
    found = made.body.encode() if isinstance(made.body, str) else made.body
    return found, dict(made.headers), str(made.url)


def _as_requests(error: BaseException) -> requests.RequestException:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return requests.Timeout(error)
    if isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
        return requests.exceptions.SSLError(error)
    return requests.ConnectionError(error)
