"""The second seam under apprise: every mail goes through here.

apprise's controller, with pooled connections (a TLS context of its own for every mail costs 30 ms),
and with a record of what the server said.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
import time
from typing import Any, Self

import apprise.plugins.email.base as apprise_email
from apprise.plugins.email.smtp import AppriseSMTPController, SMTPSecureMode

from router.delivery.wire import CONNECT, Exchange, recorder

IDLE = 15.0
"""Seconds an unused connection is kept."""
POOLED = 4

BROKEN = (OSError, smtplib.SMTPException, RuntimeError, ValueError)


class Connections:
    """Idle connections, by server and user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[Any, ...], list[tuple[float, smtplib.SMTP]]] = {}

    def take(self, key: tuple[Any, ...]) -> smtplib.SMTP | None:
        """An idle connection that still answers, or None."""
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                since, connection = idle.pop()
            if time.monotonic() - since < IDLE and _answers(connection):
                return connection
            connection.close()

    def give(self, key: tuple[Any, ...], connection: smtplib.SMTP) -> None:
        """Keep a connection that is clean for the next mail."""
        with self._lock:
            idle = self._idle.setdefault(key, [])
            if len(idle) < POOLED:
                idle.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            for idle in self._idle.values():
                for _, connection in idle:
                    connection.close()
            self._idle.clear()


connections = Connections()


class Controller(AppriseSMTPController):  # type: ignore[misc]
    """One mail over a pooled connection, recorded."""

    _socket: smtplib.SMTP | None

    def __enter__(self) -> Self:
        current = recorder()
        self._exchange = Exchange(
            "smtp",
            host=self.host,
            port=self.port,
            security=self.secure_mode,
            verify=self.verify_certificate,
            login=bool(self.user),
        )
        current.exchanges.append(self._exchange)
        self._clean = False
        self._key = (
            self.host,
            self.port,
            self.secure_mode,
            self.user,
            self.password,
            self.verify_certificate,
        )
        if current.wire.capture:
            self._exchange.status = 250
            return self
        try:
            self._socket = connections.take(self._key) or self._connect()
        except BROKEN as error:
            self._note(error)
            raise
        self._exchange.connected = True
        return self

    def sendmail(self, from_addr: str, to_addrs: list[str], message: str) -> bool:
        """Send one mail; what the server said is in the exchange."""
        exchange = self._exchange
        mime = str(message)
        exchange.request |= {"from": from_addr, "to": list(to_addrs), "mime": mime}
        if recorder().wire.capture:
            return True
        if self._socket is None:
            raise AssertionError("a mail is sent within the block of its connection")
        try:
            self._transact(self._socket, from_addr, to_addrs, mime)
        except BROKEN as error:
            self._note(error)
            return False
        self._clean = True
        return True

    def __exit__(self, *_: object) -> None:
        if self._socket is None:
            return
        recorder().socket = None
        if self._clean:
            connections.give(self._key, self._socket)
        else:
            with contextlib.suppress(*BROKEN):
                self._socket.close()

    def _connect(self) -> smtplib.SMTP:
        current = recorder()
        wire = current.wire
        context = wire.tls if self.verify_certificate else wire.unverified
        timeout = min(CONNECT, current.left())
        made: smtplib.SMTP
        if self.secure_mode == SMTPSecureMode.SSL:
            made = smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=context)
        else:
            made = smtplib.SMTP(self.host, self.port, timeout=timeout)
        try:
            current.socket = made.sock
            _socket_of(made).settimeout(current.left())
            if self.secure_mode == SMTPSecureMode.STARTTLS:
                made.starttls(context=context)
                current.socket = made.sock
            if self.user and self.password:
                made.login(self.user, self.password)
        except BaseException:
            made.close()
            raise
        return made

    def _transact(self, smtp: smtplib.SMTP, from_addr: str, to_addrs: list[str], mime: str) -> None:
        current = recorder()
        current.socket = _socket_of(smtp)
        current.socket.settimeout(current.left())
        smtp.ehlo_or_helo_if_needed()
        content = mime.encode("utf-8")
        options = [f"size={len(content)}"] if smtp.has_extn("size") else []
        if smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        _expect(smtp.mail(from_addr, options), 250)
        refused = {}
        for address in to_addrs:
            code, words = smtp.rcpt(address)
            if code not in (250, 251):
                refused[address] = (code, words)
        if to_addrs[0] in refused or len(refused) == len(to_addrs):
            raise smtplib.SMTPResponseException(*refused[to_addrs[0]])
        self._exchange.sent = True
        code, words = smtp.data(content)
        _expect((code, words), 250)
        self._exchange.status, self._exchange.answer = code, words
        if refused:
            self._exchange.answer = b"a copy was refused: " + next(iter(refused.values()))[1]

    def _note(self, error: BaseException) -> None:
        self._exchange.error = error
        if isinstance(error, smtplib.SMTPResponseException):
            # It answered, so nothing is uncertain.
            self._exchange.status = error.smtp_code
            words = error.smtp_error
            self._exchange.answer = words if isinstance(words, bytes) else str(words).encode()


def install() -> None:
    """Put ourselves under apprise; doing it again changes nothing."""
    apprise_email.AppriseSMTPController = Controller


def _socket_of(connection: smtplib.SMTP) -> socket.socket:
    if connection.sock is None:
        raise smtplib.SMTPServerDisconnected("the connection is closed")
    return connection.sock


def _expect(answer: tuple[int, bytes], wanted: int) -> None:
    if answer[0] != wanted:
        raise smtplib.SMTPResponseException(*answer)


def _answers(connection: smtplib.SMTP) -> bool:
    try:
        _socket_of(connection).settimeout(2.0)
        return connection.rset()[0] == 250
    except BROKEN:
        return False
