"""apprise, set up once: no pool of its own, no redirects, nothing on disk, and quiet.

Its loader logs the raw tokens of addresses it does not like, so it is silent while it loads.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from apprise import AppriseAsset

from router.delivery import seam, smtp

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSET = AppriseAsset(
    service_timeout=0,
    http_redirects=False,
    storage_mode="memory",
    app_id="Router",
    app_desc="atfinity router",
    app_url="",
    image_url_mask=None,
    image_url_logo=None,
)

_logger = logging.getLogger("apprise")
_logger.propagate = False
_logger.addHandler(logging.NullHandler())
_logger.setLevel(logging.WARNING)
_lock = threading.Lock()

seam.install()
smtp.install()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No line of apprise is made in this block."""
    with _lock:
        before = _logger.level
        _logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            _logger.setLevel(before)
