"""The HTTP server: uvicorn, a protocol of ours on httptools' parser, and bounds for strangers.

Measured once on two shared cores (bare accepting, requests/s, CPU of each): httptools in uvicorn
39,500, 13.1 us; ours 38,000, 15.0 us; granian 36,800; h11 12,200, 69.4 us. httptools in uvicorn
reads a body after `Connection: Upgrade` as the next request; granian keeps limits and threads of
its own, and its answers to malformed framing are not ours to choose; h11 costs five times as much.

So the parser is kept, and what it does not do is done here: a request that asks for an upgrade is
answered as plain HTTP/1.1, and heads, bodies, connections and silence have bounds.
"""

from router.server.connections import LIMITS, Limits, lacks_descriptors
from router.server.server import Server

__all__ = ["LIMITS", "Limits", "Server", "lacks_descriptors"]
