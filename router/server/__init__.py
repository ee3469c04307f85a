"""The HTTP server: uvicorn with a protocol of ours that bounds what strangers may take.

uvicorn's httptools protocol is kept: its parser is C, h11's is Python, and granian brings a process
model of its own. What httptools does not do is done here: a request that asks for an upgrade is
answered as plain HTTP/1.1, and heads, bodies, connections and silence have bounds.
"""

from router.server.connections import LIMITS, Limits
from router.server.server import Server

__all__ = ["LIMITS", "Limits", "Server"]
