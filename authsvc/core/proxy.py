"""Who may say from where a request comes: nginx, which shows a secret that only it and we can read. Whoever else reaches our
ports, any process of this host, comes from where he comes."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

HEADER = "X-Proxy-Secret"
# In a request's environment: whether passwords are looked at by another process.
ELSEWHERE = "tidegate.passwords_elsewhere"
# The host that a request came to, if names stand there without their project; "": to ours.
MIRROR = "HTTP_X_MIRROR_HOST"
# Whether it was nginx that sent it.
BY_PROXY = "tidegate.by_proxy"


def send_to(location: str) -> tuple[str, str]:
    """The header of an answer by which nginx takes the request on to another place of its configuration."""
    return ("X-Accel-Redirect", f"@{location}")


class Proxy:
    """What stands before us. Without its secret nobody does."""

    def __init__(self, secret: Path) -> None:
        self._secret = secret.read_bytes().strip() if secret.exists() else b""

    def settle(self, environ: dict[str, Any]) -> bool:
        """From here on `REMOTE_ADDR` is the client's address (WSGI), and what the proxy says of it is gone. True if it was the
        proxy that sent this."""
        said, shown = environ.pop("HTTP_X_REAL_IP", ""), environ.pop("HTTP_X_PROXY_SECRET", "")
        environ[BY_PROXY] = bool(said and self._secret and hmac.compare_digest(shown.encode("latin-1"), self._secret))
        if not environ[BY_PROXY]:
            return False
        environ["REMOTE_ADDR"] = said[:64]
        return True
