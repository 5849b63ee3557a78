"""For servers: `gunicorn 'webhook.wsgi:create()'`."""

from authsvc.core.settings import Settings
from authsvc.observability import logs, tracing
from webhook.app import create_app


def create() -> tracing.Wsgi:
    """The application with settings from the environment."""
    settings = Settings.from_env()
    logs.configure(settings.log_level, "webhook")
    tracing.begin(settings, "webhook")
    return tracing.traced(settings, create_app(settings))
