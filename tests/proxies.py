"""Real nginx and real Caddy in front of the router, as child processes on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, NamedTuple, Self

from far_end import wait_until

if TYPE_CHECKING:
    from pathlib import Path

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  upstream router {{ server 127.0.0.1:{router}; {upstream} }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 8m;
    location / {{
      proxy_pass http://router;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-User "";
      {lines}
    }}
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{router} {{
    header_up -X-Forwarded-User
  }}
}}
"""


class Kind(NamedTuple):
    """A proxy as people set it up. All take away the header that says who somebody is."""

    program: str
    package: str
    config: str
    lines: str = ""
    upstream: str = ""


KINDS = {
    "nginx as it comes": Kind("nginx", "nginx-light", NGINX),
    "nginx that keeps connections": Kind(
        "nginx",
        "nginx-light",
        NGINX,
        'proxy_http_version 1.1; proxy_set_header Connection "";',
        "keepalive 4;",
    ),
    "nginx with the websocket lines": Kind(
        "nginx",
        "nginx-light",
        NGINX,
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
        " proxy_set_header Connection $connection_upgrade;",
    ),
    "nginx that always says upgrade": Kind(
        "nginx",
        "nginx-light",
        NGINX,
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
        ' proxy_set_header Connection "upgrade";',
        "keepalive 4;",
    ),
    "Caddy": Kind("caddy", "caddy", CADDY),
}


class Proxy:
    """One proxy process in front of a port."""

    def __init__(self, kind: Kind, folder: Path, router: int) -> None:
        """`folder` is the proxy's, for its configuration, log and what it buffers."""
        self.kind = kind
        self.port = free_port()
        self._folder = folder
        self._config = folder / "proxy.conf"
        text = kind.config.format(
            folder=folder, port=self.port, router=router, lines=kind.lines, upstream=kind.upstream
        )
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> list[str]:
        program = shutil.which(self.kind.program, path=os.environ["PATH"] + ":/usr/sbin")
        assert program, f"{self.kind.program} is missing: apt-get install {self.kind.package}"
        if self.kind.program == "nginx":
            return [program, "-p", str(self._folder), "-c", str(self._config)]
        return [program, "run", "--adapter", "caddyfile", "--config", str(self._config)]

    def __enter__(self) -> Self:
        homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self._folder))
        with (self._folder / "output.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command(), env={**os.environ, **homes}, stdout=log, stderr=log
            )
        wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        ended = self._process.poll() is not None
        assert not ended, (self._folder / "output.log").read_text(encoding="utf-8")
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def read_answers(self, stream: bytes, silence: float) -> bytes:
        """Send all of it; return what comes back, until nothing came for `silence` seconds."""
        answer = b""
        with self.connect() as client:
            client.sendall(stream)
            with contextlib.suppress(TimeoutError):
                while data := client.recv(65536):
                    answer += data
                    client.settimeout(silence)
        return answer


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
