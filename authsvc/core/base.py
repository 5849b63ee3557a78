"""The Flask application that every process stands on: settings and database, nothing else."""

from flask import Flask

from authsvc.core import db
from authsvc.core.settings import Settings

MAX_BODY = 1024 * 1024


def create_base(settings: Settings) -> Flask:
    """An application without routes: for the worker and commands as it is, for the API and the webhook to build on."""
    app = Flask("authsvc", static_folder="ui/static", template_folder="ui/templates")
    app.config["TIDEGATE"] = settings
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    db.init(app, settings.database_url)
    return app
