"""For servers: `gunicorn 'webhook.wsgi:create()'`."""

from flask import Flask

from authsvc.core.settings import Settings
from authsvc.observability import logs
from webhook.app import create_app


def create() -> Flask:
    """The application with settings from the environment."""
    settings = Settings.from_env()
    logs.configure(settings.log_level, "webhook")
    return create_app(settings)
