"""The Flask application that every process stands on: settings and database, and what loses a race begins anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from flask.typing import ResponseReturnValue

from authsvc.core import db
from authsvc.core.repeat import dispatched
from authsvc.core.settings import Settings

MAX_BODY = 1024 * 1024


class Application(Flask):
    """Flask, whose views begin anew where the database undid them for somebody else's sake."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._preludes: list[Callable[[], Response | None]] = []

    def prelude(self, step: Callable[[], Response | None]) -> None:
        """What comes before each view in its transaction, and again with it; it may answer in its stead."""
        self._preludes.append(step)

    def dispatch_request(self) -> ResponseReturnValue:
        """The preludes and the view."""
        return dispatched(self._carry_out)

    def _carry_out(self) -> ResponseReturnValue:
        for prelude in self._preludes:
            answer = prelude()
            if answer is not None:
                return answer
        return super().dispatch_request()


def create_base(settings: Settings) -> Application:
    """An application without routes: for the worker and commands as it is, for the API and the webhook to build on."""
    app = Application("authsvc", static_folder=None, template_folder="ui/templates")
    app.config["TIDEGATE"] = settings
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    db.init(app, settings.database_url, settings.database_password_file, pooled=settings.database_pooler)
    return app
