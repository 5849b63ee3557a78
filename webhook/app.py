"""The webhook's own application: one route and a readiness check."""

from flask import Flask

from authsvc.core import web
from authsvc.core.base import create_base
from authsvc.core.crypto import read_private
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from webhook.routes import blueprint


def create_app(settings: Settings) -> Flask:
    """The application; it reads the secret that `authsvc prepare` made."""
    app = create_base(settings)
    app.config["MAX_CONTENT_LENGTH"] = None  # the route reads no more than it wants, and never answers 413
    app.config["WEBHOOK_AUTHORIZATION"] = f"Bearer {read_private(Layout(settings).webhook_secret).decode().strip()}"
    web.init(app)
    app.register_blueprint(blueprint)
    return app
