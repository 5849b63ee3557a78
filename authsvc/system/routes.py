"""Ping, health and general information, by Harbor's paths; the pages at the root."""

from __future__ import annotations

from typing import Any

from flask import Blueprint as PlainBlueprint
from flask import Response, current_app, jsonify, render_template, send_file

from authsvc.authn.configuration import auth_mode
from authsvc.configuration import service as configuration
from authsvc.core.api import Blueprint
from authsvc.core.db import utcnow
from authsvc.core.errors import NotFound
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.rbac.guard import principal
from authsvc.system import health
from authsvc.system.schemas import GeneralInfoSchema, HealthArguments, HealthSchema

blueprint = Blueprint("system", __name__, description="The system itself")
root = PlainBlueprint("root", __name__)

HARBOR_VERSION = "v2.14.0-tidegate"  # the release whose API we answer; clients compare the number


def _settings() -> Settings:
    settings: Settings = current_app.config["TIDEGATE"]
    return settings


@blueprint.get("/ping")
@blueprint.response(200, content_type="text/plain")
def ping() -> Response:
    return Response("Pong", mimetype="text/plain")


@blueprint.get("/health")
@blueprint.arguments(HealthArguments, location="query")
@blueprint.response(200, HealthSchema)
def get_health(arguments: dict[str, Any]) -> Any:
    """Harbor answers 200 whatever it finds; `strict` answers 503 when something is unhealthy."""
    components = health.check(_settings())
    healthy = not any(component.error for component in components)
    body = {"status": "healthy" if healthy else "unhealthy", "components": components}
    return body, 200 if healthy or not arguments["strict"] else 503


@blueprint.get("/systeminfo")
@blueprint.response(200, GeneralInfoSchema)
def get_system_info() -> dict[str, Any]:
    configured = configuration.values()
    info: dict[str, Any] = {
        "auth_mode": auth_mode(),
        "primary_auth_mode": configured["primary_auth_mode"],
        "self_registration": configured["self_registration"],
        "banner_message": configured["banner_message"],
    }
    if principal().is_authenticated:
        settings = _settings()
        info |= {
            "harbor_version": HARBOR_VERSION,
            "registry_url": settings.registry_host,
            "external_url": settings.external_url,
            "project_creation_restriction": configured["project_creation_restriction"],
            "has_ca_root": Layout(settings).ca_certificate.exists(),
            "read_only": configured["read_only"],
            "notification_enable": configured["notification_enable"],
            "registry_storage_provider_name": "filesystem",
            "current_time": utcnow(),
        }
    return info


@blueprint.get("/systeminfo/getcert")
@blueprint.response(200, content_type="application/x-x509-ca-cert")
def get_certificate() -> Response:
    """The certificate that clients need to trust, if we made it ourselves."""
    certificate = Layout(_settings()).ca_certificate
    if not certificate.exists():
        raise NotFound("there is no certificate of our own")
    return send_file(certificate, mimetype="application/x-x509-ca-cert", as_attachment=True, download_name="ca.crt")


@root.get("/api/version")
def api_version() -> Response:
    return jsonify(version="v2.0")


@root.app_context_processor
def _everywhere() -> dict[str, Any]:
    """What every page shows."""
    settings = _settings()
    return {"registry_host": settings.registry_host, "own_certificate": settings.tls and settings.tls_certificate is None}


@root.get("/")
def index() -> str:
    return render_template("index.html")


@root.get("/api")
def api_page() -> str:
    return render_template("api.html")
