"""Far ends for tests: a real HTTP(S) server and a real SMTP server that answer as they are told."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import deque
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage


class Posted(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Answer(NamedTuple):
    """What the far end does: answers, or one of `hang`, `reset`, `close`, `garbage`, `drip`.

    `raw` is what `close` and `drip` send first, as it is; `drip` goes on with `drop`, for ever.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    deed: str = ""
    raw: bytes = b""
    drop: bytes = b"."


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    far_end: HttpFarEnd

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        far_end = self.server.far_end
        headers = {name.lower(): value for name, value in self.headers.items()}
        far_end.posted.append(Posted(self.command, self.path, headers, body, time.time()))
        self._do(far_end.next_answer(self.path))

    do_GET = do_PUT = do_POST  # noqa: N815 - http.server's names

    def _do(self, answer: Answer) -> None:
        if answer.deed == "hang":
            self.server.far_end.stopping.wait(20)
        elif answer.deed == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif answer.deed == "garbage":
            self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
        elif answer.deed == "drip":
            self.wfile.write(answer.raw or b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not self.server.far_end.stopping.wait(0.05):
                self.wfile.write(answer.drop)
        elif answer.deed == "close":
            self.wfile.write(answer.raw)
        if answer.deed:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class HttpFarEnd:
    """Records what is posted; answers from `answers` in turn, then `usual`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[Answer] = deque()
        self.usual = Answer()
        self.by_path: Callable[[str], Answer | None] | None = None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.far_end = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def next_answer(self, path: str) -> Answer:
        with self._lock:
            if self.by_path is not None and (found := self.by_path(path)) is not None:
                return found
            return self.answers.popleft() if self.answers else self.usual

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Inbox:
    """aiosmtpd's handler: keeps mails, answers as told."""

    def __init__(self, far_end: SmtpFarEnd) -> None:
        self._far_end = far_end

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        answers = self._far_end.rcpt_answers
        answer = answers.popleft() if answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        answers = self._far_end.data_answers
        answer = answers.popleft() if answers else "250 OK"
        if answer == "close":
            server.transport.abort()
            return "250 OK"
        if answer.startswith("250"):
            self._far_end.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
            found = message_from_bytes(bytes(envelope.content), policy=policy.default)
            self._far_end.mails.append(found)
        return answer


def text_of(mail: EmailMessage, kind: str) -> str:
    """The plain or html part of a mail."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


class SmtpFarEnd:
    """A mail server: `mails` that arrived, `rcpt_answers` and `data_answers` to script it."""

    def __init__(
        self, tls: ssl.SSLContext | None = None, users: dict[str, str] | None = None
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.rcpt_answers: deque[str] = deque()
        self.data_answers: deque[str] = deque()
        self.connections = 0
        self._users = users

        options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None}
        if users is not None:
            options |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": tls is not None,
            }
        self._controller = Controller(_Inbox(self), hostname="127.0.0.1", port=0, **options)

    def _authenticate(self, *arguments: Any) -> AuthResult:
        given = arguments[-1]
        if not isinstance(given, LoginPassword) or self._users is None:
            return AuthResult(success=False, handled=False)
        right = self._users.get(given.login.decode()) == given.password.decode()
        return AuthResult(success=right, handled=False)

    def __enter__(self) -> Self:
        # aiosmtpd asks its own port to see that it runs; with port 0 it has to be told which.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._controller.port = free.getsockname()[1]
        self._controller.start()
        self.port: int = self._controller.port
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return what the condition gives once it gives something; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"nothing within {seconds} s")
