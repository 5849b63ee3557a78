"""Who may say from where a request comes: nginx, which shows a secret that only it and we can read. Whoever else reaches our
ports, any process of this host, comes from where he comes."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

HEADER = "X-Proxy-Secret"


class Proxy:
    """What stands before us. Without its secret nobody does."""

    def __init__(self, secret: Path) -> None:
        self._secret = secret.read_bytes().strip() if secret.exists() else b""

    def settle(self, environ: dict[str, Any]) -> None:
        """From here on `REMOTE_ADDR` is the client's address (WSGI), and what the proxy says of it is gone."""
        said, shown = environ.pop("HTTP_X_REAL_IP", ""), environ.pop("HTTP_X_PROXY_SECRET", "")
        if said and self._secret and hmac.compare_digest(shown.encode("latin-1"), self._secret):
            environ["REMOTE_ADDR"] = said[:64]
