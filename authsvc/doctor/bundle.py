"""What somebody who helps needs to see, in one archive, without a secret."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

import authsvc
from authsvc.core.clock import rfc3339
from authsvc.core.db import utcnow
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.doctor.examination import Look

_TAIL = 200_000  # bytes of each log
_HIDDEN = "<hidden>"
# Whatever has these names, and whatever looks like one of ours; a token is three parts with dots between them.
_NAMED = re.compile(
    r"((?:secret|password|authorization|token|key)[\"']?\s*[:=]\s*\[?[\"']?(?:Bearer |Basic )?)([^\s\"'\],;]{8,})", re.IGNORECASE
)
_OURS = re.compile(r"\btg[a-z]_[0-9A-Za-z]{20,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=://)[^/\s:@]*:[^@\s/]+(?=@)")
_PROXY = re.compile(r"(proxy_set_header \S*Secret\S* )\S+", re.IGNORECASE)


def row(look: Look) -> dict[str, Any]:
    """A check as programs read it."""
    return {"name": look.check.name, **asdict(look.finding), "milliseconds": look.milliseconds}


def write(file: Path, settings: Settings, looks: Sequence[Look]) -> None:
    """Write the archive (mode 0600)."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    with tarfile.open(file, "w:gz") as archive:
        for name, text in _contents(settings, looks):
            data = redacted(text).encode()
            entry = tarfile.TarInfo(f"tidegate/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))


def _contents(settings: Settings, looks: Sequence[Look]) -> Iterator[tuple[str, str]]:
    layout = Layout(settings)
    shown = asdict(settings) | {"database_url": make_url(settings.database_url).render_as_string(hide_password=True)}
    about = {"version": authsvc.__version__, "time": rfc3339(utcnow())}
    yield "about.json", json.dumps(about, indent=2)
    yield "checks.json", json.dumps([row(look) for look in looks], indent=2)
    yield "settings.json", json.dumps(shown, indent=2, default=str)
    for path in sorted(layout.config.glob("*")) if layout.config.exists() else ():
        yield f"config/{path.name}", path.read_text(errors="replace")
    for path in sorted(layout.logs.glob("*.log")) if layout.logs.exists() else ():
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL))
            yield f"log/{path.name}", log.read().decode(errors="replace")


def redacted(text: str) -> str:
    """The same without what would let anybody in."""
    return _PROXY.sub(rf"\1{_HIDDEN}", _NAMED.sub(rf"\1{_HIDDEN}", _OURS.sub(_HIDDEN, text)))
