"""What nobody else on this host sees to: nginx writes its access log for ever, and serves the certificate that it has read."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import structlog

from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import tls

_PAUSE = 60.0  # seconds between two looks
_LARGE, _KEPT = 100 * 1024 * 1024, 3  # bytes of a log, and how many older ones there are beside it

log = structlog.get_logger(component="upkeep")


class Upkeep:
    """Of one running stack, from now on."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._layout = settings, Layout(settings)
        self._certificate = self._stamp()
        self._due = time.monotonic() + _PAUSE

    def look(self) -> None:
        """Look after both, if it is time again."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _PAUSE
        try:
            rotated, renewed = rotate(self._layout.logs / "access.log"), self._is_renewed()
        except (OSError, ValueError, DomainError) as error:
            log.error("upkeep_failed", error=str(error)[:300])
            return
        if rotated or renewed:
            self._reload_nginx()

    def _is_renewed(self) -> bool:
        """Whether there is another certificate, of the operator's or of ours, and one that can be served."""
        before, self._certificate = self._certificate, self._stamp()
        return before != self._certificate

    def _stamp(self) -> list[tuple[int, int]]:
        status = [path.stat() for path in tls.prepare(self._settings)]
        return [(one.st_mtime_ns, one.st_ino) for one in status]

    def _reload_nginx(self) -> None:
        """New workers with new files; the old ones finish what they carry."""
        log.info("nginx_reloaded")
        os.kill(int((self._layout.root / "run" / "nginx.pid").read_text()), signal.SIGHUP)


def rotate(file: Path) -> bool:
    """Move a log that has become large away, and older ones on; False if it has not."""
    if not file.exists() or file.stat().st_size < _LARGE:
        return False
    names = [file, *(file.with_name(f"{file.name}.{number}") for number in range(1, _KEPT + 1))]
    for younger, older in reversed(list(pairwise(names))):
        if younger.exists():
            younger.rename(older)
    return True
