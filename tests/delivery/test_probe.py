"""Probes: each kind of far end is reached, or the reason is told; nothing is ever sent."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from far_end import HttpFarEnd, SmtpFarEnd
from router.delivery import Probe, probe
from router.rules import Channel
from router.secret import Redactor, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = Secret("xoxb-1234567890-abcdefghij")


def channel(service: Any, **options: Any) -> Channel:
    return Channel(name="c", service=service, options=options)


def mail(port: int, security: str = "none", **more: Any) -> Channel:
    given = {"host": "127.0.0.1", "port": port, "security": security}
    return channel("email", **given, **{"from": "a@b.example", "to": "c@d.example"}, **more)


def looked(one: Channel, bundle: str | None = None, seconds: float = 5.0) -> Probe:
    redactor = Redactor([TOKEN, Secret("a-long-password")])
    (found,) = probe({"c": one}, ca_bundle=bundle, redactor=redactor, seconds=seconds)
    return found


@contextmanager
def says(words: bytes) -> Iterator[int]:
    """A server that says this to whoever connects, and then nothing; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_ones: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                open_ones.append(one)
                one.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for one in open_ones:
            one.close()
    thread.join()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_a_web_server_is_reached_and_asked_for_nothing(
    authority: tuple[ssl.SSLContext, str],
) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        found = looked(channel("webhook", url=f"{far.url}/in"), bundle)
        assert (found.state, found.advice) == ("ok", None)
        assert found.text.startswith(f"127.0.0.1:{far.port} answers over TLS (")
        assert far.posted == []


def test_a_certificate_of_an_unknown_authority_is_told_with_what_to_do(
    authority: tuple[ssl.SSLContext, str],
) -> None:
    with HttpFarEnd(authority[0]) as far:
        found = looked(channel("teams", webhook=far.url))
    assert found.state == "fault"
    assert found.text.startswith("no trusted connection to 127.0.0.1: ")
    assert "ROUTER_CA_BUNDLE" in str(found.advice)


@pytest.mark.parametrize(
    ("name", "days", "state", "words"),
    [
        ("elsewhere.example", 90, "fault", "for another name"),
        ("127.0.0.1", -2, "fault", "its certificate is over"),
        ("127.0.0.1", 5, "warning", "renew it in time"),
    ],
)
def test_certificates_that_do_not_fit_or_end_are_told(
    name: str, days: int, state: str, words: str, tmp_path: Any
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    now = datetime.now(UTC)
    made = authority.issue_cert(
        name, not_before=now - timedelta(days=9), not_after=now + timedelta(days=days)
    )
    made.configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with HttpFarEnd(context) as far:
        found = looked(channel("webhook", url=far.url), str(tmp_path / "ca.pem"))
    assert found.state == state
    assert words in str(found.advice)


def test_a_closed_port_refuses() -> None:
    found = looked(channel("webhook", url=f"http://127.0.0.1:{closed_port()}/"))
    assert (found.state, found.text) == ("fault", "127.0.0.1 refuses connections")
    port = closed_port()
    assert looked(mail(port)).text == f"127.0.0.1:{port} refuses connections"


def test_what_hangs_is_left_behind_in_time_and_side_by_side() -> None:
    with says(b"") as port:
        began = time.monotonic()
        hanging = {f"c{n}": mail(port, "starttls") for n in range(3)}
        hanging |= {"d": channel("webhook", url=f"https://127.0.0.1:{port}/")}
        found = probe(hanging, ca_bundle=None, redactor=Redactor([]), seconds=2.0)
        assert time.monotonic() - began < 7.0  # one after the other it would be eight
    assert [one.channel for one in found] == ["c0", "c1", "c2", "d"]
    assert {one.state for one in found} == {"fault"}
    assert all("did not answer in time" in one.text for one in found)


def test_a_name_without_an_address_is_told() -> None:
    found = looked(channel("webhook", url="https://nowhere.invalid/x"))
    assert found.text == "there is no address for nowhere.invalid (DNS)"
    assert "DNS" in str(found.advice)


def test_a_mail_server_is_greeted_and_gets_no_mail() -> None:
    with SmtpFarEnd() as far:
        found = looked(mail(far.port))
        assert found.state == "ok"
        assert "answers in the clear" in found.text
        assert far.mails == []


def test_starttls_and_logins_are_seen(authority: tuple[ssl.SSLContext, str]) -> None:
    context, bundle = authority
    login = {"user": "router", "password": Secret("a-long-password")}
    with SmtpFarEnd(context, users={"router": "another"}) as far:
        # Its password is wrong, and nobody finds out: no login is tried.
        found = looked(mail(far.port, "starttls", **login), bundle)
        assert found.state == "ok"
        assert "over TLS" in found.text
        assert "and takes logins" in found.text
        assert looked(mail(far.port, "starttls", **login)).state == "fault"
        clear = looked(mail(far.port, "none"))
        assert (clear.state, clear.advice) == ("warning", "set `security: starttls`")
    with SmtpFarEnd() as far:
        missing = looked(mail(far.port, "starttls"))
        assert missing.state == "fault"
        assert "port 465" in str(missing.advice)
        refused = looked(mail(far.port, "none", **login))
        assert refused.state == "fault"
        assert "takes no login there" in refused.text


def test_a_mail_server_that_refuses_and_one_that_is_none_are_told() -> None:
    with says(b"554 5.7.1 your address is blocked\r\n") as port:
        found = looked(mail(port))
        assert found.text == "the mail server answered 554: 5.7.1 your address is blocked"
    with says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert looked(mail(port)).state == "fault"
        assert "speak TLS" in str(
            looked(channel("webhook", url=f"https://127.0.0.1:{port}")).advice
        )


def test_what_is_missing_is_told_without_a_connection() -> None:
    found = looked(channel("slack", token=Secret(""), to="#kyc"))
    assert (found.state, found.text) == ("fault", "`token` is empty")


def test_any_service_of_apprise_is_looked_for_where_it_would_send() -> None:
    with HttpFarEnd() as far:
        address = Secret(f"json://user:a-long-password@127.0.0.1:{far.port}/x")
        found = looked(channel("url", url=address))
        assert found.state == "ok"
        assert far.posted == []
        assert "password" not in found.text
    with SmtpFarEnd() as far:
        address = Secret(f"mailto://127.0.0.1:{far.port}?from=a@b.example&to=c@d.example")
        assert looked(channel("url", url=address)).state == "ok"
        assert far.mails == []
