"""The files of pages (styles, modules, pictures): below `/static/`, each with a fingerprint of its content in the URL, so that
browsers keep it until it changes."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_from_directory
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

_FOLDER = Path(__file__).parent / "static"
_A_YEAR = 365 * 24 * 3600


def init(app: Flask) -> None:
    """Serve them, and let `url_for("static", filename=…)` name them."""
    app.add_url_rule("/static/<path:filename>", endpoint="static", view_func=_serve)
    app.url_defaults(_with_fingerprint)


def _serve(filename: str) -> Response:
    if safe_join(str(_FOLDER), filename) is None:
        raise NotFound  # before it is read: it may be any file of this host, of any size
    # One of another release, beside us while nodes are upgraded, names another content: nobody keeps ours under its name.
    is_this = request.args.get("v") == _fingerprint(_FOLDER / filename)
    return send_from_directory(_FOLDER, filename, max_age=_A_YEAR if is_this else None)


def _with_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static":
        values["v"] = _fingerprint(_FOLDER / values["filename"])


@cache
def _known(file: Path, modified: int) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12]


def _fingerprint(file: Path) -> str | None:
    """Of what the file holds now; None if there is none."""
    return _known(file, file.stat().st_mtime_ns) if file.is_file() else None
