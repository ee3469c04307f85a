"""Requests that two servers may read differently, as raw bytes: for tests and for attacks."""

from __future__ import annotations

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: operator\r\n\r\n"
"""What must never be seen as a request."""
HOST = b"Host: x\r\n"

UPGRADES = {
    "h2c, as Java sends it": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAAB\r\n",
    "h2c": b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "a list": b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c, TLS/1.0\r\n",
    "something unheard of": b"connection: UPGRADE\r\nupgrade: gopher\r\n",
    "two of each": b"Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: a\r\nUpgrade: b\r\n",
    "without Connection": b"Upgrade: h2c\r\n",
    "without Upgrade": b"Connection: Upgrade\r\n",
}
"""Header lines by which a request asks for an upgrade."""

REFUSED = {
    "two lengths": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "the same length twice": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    b"Content-Length: 4\r\n\r\nbody",
    "a length list": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nbody",
    "a signed length": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nbody",
    "a negative length": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length and chunks": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "another coding first": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x, chunked\r\n\r\n"
    b"0\r\n\r\n",
    "another coding last": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, x\r\n\r\n",
    "a coding like it": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n"
    b"0\r\n\r\n",
    "two codings": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an upgrade with an odd coding": b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: h2c\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n",
    "a bare LF": b"POST /a HTTP/1.1\nHost: x\nContent-Length: 4\n\nbody",
    "a folded header": b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n b: 2\r\n\r\n",
    "a space before the colon": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nbody",
    "a NUL in a header": b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a chunk that is too long": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"fffffffffffffffff\r\n",
    "a chunk size of another form": b"POST /a HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n",
    "no chunk's end": b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nbodyGET /smuggled HTTP/1.1\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2.0 in words": b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /a\r\n\r\n",
    "a proxy's CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "TLS": bytes.fromhex("1603010200010001fc0303") + b"\0" * 100,
    "garbage": b"\xff\xfe\x00" * 20,
}
"""Whole streams, of which no byte may become a request."""
