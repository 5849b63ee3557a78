"""Ping, health and general information, by Harbor's paths; the pages at the root."""

from __future__ import annotations

import shutil
from typing import Any

from flask import Blueprint as PlainBlueprint
from flask import Response, abort, current_app, jsonify, request, send_file

from authsvc.artifacts import damage
from authsvc.artifacts.models import Damage
from authsvc.authn import configuration as identity
from authsvc.authn.configuration import auth_mode
from authsvc.configuration import service as configuration
from authsvc.core.api import Blueprint, PageArguments, page_of
from authsvc.core.db import utcnow
from authsvc.core.errors import Forbidden, NotFound
from authsvc.core.layout import Layout
from authsvc.core.own import own
from authsvc.core.proxy import BY_PROXY
from authsvc.core.settings import Settings
from authsvc.distribution import stores
from authsvc.observability import exposition
from authsvc.rbac.guard import principal, require_login, require_sysadmin, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.system import catalogue, gauges, health, search, statistics
from authsvc.system.schemas import (
    CurrentPermissionsArguments,
    DamageSchema,
    GeneralInfoSchema,
    HealthArguments,
    HealthSchema,
    MetricsArguments,
    PermissionSchema,
    PermissionsSchema,
    SearchArguments,
    SearchSchema,
    StatisticSchema,
    VolumesSchema,
)

blueprint = Blueprint("system", __name__, description="The system itself")
root = PlainBlueprint("root", __name__)

HARBOR_VERSION = "v2.14.0-tidegate"  # the release whose API we answer; clients compare the number


def _settings() -> Settings:
    settings: Settings = current_app.config["TIDEGATE"]
    return settings


@blueprint.get("/ping")
@blueprint.strangers
@blueprint.response(200, content_type="text/plain")
def ping() -> Response:
    return Response("Pong", mimetype="text/plain")


@blueprint.get("/health")
@blueprint.strangers
@blueprint.arguments(HealthArguments, location="query")
@blueprint.response(200, HealthSchema)
@blueprint.alt_response(503, schema=HealthSchema, description="Something is unhealthy, and `strict` was asked for")
def get_health(arguments: dict[str, Any]) -> Any:
    """Harbor answers 200 whatever it finds; `strict` answers 503 when something is unhealthy."""
    components = own(health.Looks).latest.get()
    healthy = not any(component.error for component in components)
    body = {"status": "healthy" if healthy else "unhealthy", "components": components}
    return body, 200 if healthy or not arguments["strict"] else 503


@blueprint.get("/system/metrics")
@blueprint.arguments(MetricsArguments, location="query")
@blueprint.response(200, content_type="text/plain")
def get_metrics(arguments: dict[str, Any]) -> Response:
    """What Prometheus reads (beyond Harbor's API, which has them on a port of their own): see `TIDEGATE_METRICS_ADDRESS`."""
    require_sysadmin()
    return _metrics(arguments["comp"])


@root.get("/internal/metrics")
def internal_metrics() -> Response:
    """The same for whoever nginx lets in at `TIDEGATE_METRICS_ADDRESS`, and for nobody else."""
    if not request.environ.get(BY_PROXY):
        abort(404)
    return _metrics(request.args.get("comp", ""))


def _metrics(component: str) -> Response:
    found = exposition.text(component, gauges.families(_settings(), HARBOR_VERSION))
    return Response(found, content_type=exposition.CONTENT_TYPE)


@root.get("/healthz/live")
def live() -> Response:
    """Whether the process that is asked answers."""
    return Response("live\n", mimetype="text/plain")


@root.get("/healthz/ready")
def ready() -> Response:
    """Whether requests should be sent here: what no login, push or pull can do without is there."""
    missing = [part.name for part in own(health.Needed).latest.get() if part.error]
    if missing:
        return Response(f"not there: {', '.join(missing)}\n", 503, mimetype="text/plain")
    return Response("ready\n", mimetype="text/plain")


@blueprint.get("/system/damages")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, DamageSchema(many=True))
def list_damages(arguments: dict[str, Any]) -> Any:
    """What the registry has and cannot give (beyond Harbor's API)."""
    require_sysadmin()
    return page_of(damage.everything().order_by(Damage.repository, Damage.reference), arguments)


@blueprint.get("/systeminfo")
@blueprint.strangers
@blueprint.response(200, GeneralInfoSchema)
def get_system_info() -> dict[str, Any]:
    configured = configuration.values()
    mode = auth_mode()
    info: dict[str, Any] = {
        "auth_mode": mode,
        "primary_auth_mode": configured["primary_auth_mode"],
        "self_registration": configured["self_registration"],
        "banner_message": configured["banner_message"],
        "oidc_provider_name": identity.values()["oidc_name"] if mode == "oidc_auth" else "",
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
            "registry_storage_provider_name": stores.storage().provider,
            "current_time": utcnow(),
        }
    return info


@blueprint.get("/systeminfo/volumes")
@blueprint.response(200, VolumesSchema)
@blueprint.alt_response(404, description="The registry stores elsewhere")
def get_volumes() -> dict[str, Any]:
    """The file system that the registry stores on; 404 when it stores elsewhere."""
    require_system(Action.READ, Resource.SYSTEM_VOLUMES)
    try:
        usage = shutil.disk_usage(Layout(_settings()).storage or "")
    except OSError:
        raise NotFound("the registry's storage is on no disk of this host") from None
    return {"storage": [{"total": usage.total, "free": usage.free}]}


@blueprint.get("/search")
@blueprint.strangers
@blueprint.arguments(SearchArguments, location="query")
@blueprint.response(200, SearchSchema)
def search_all(arguments: dict[str, Any]) -> Any:
    return search.search(principal(), arguments["q"])


@blueprint.get("/statistics")
@blueprint.response(200, StatisticSchema)
def get_statistic() -> Any:
    return statistics.statistics(require_login())


@blueprint.get("/permissions")
@blueprint.response(200, PermissionsSchema)
def get_permissions() -> Any:
    """What robots can be given."""
    found = catalogue.assignable(require_login())
    if not found:
        raise Forbidden("only a system administrator or an administrator of some project may see this")
    return found


@blueprint.get("/users/current/permissions")
@blueprint.arguments(CurrentPermissionsArguments, location="query")
@blueprint.response(200, PermissionSchema(many=True))
def get_current_user_permissions(arguments: dict[str, Any]) -> Any:
    return catalogue.held(require_login(), arguments["scope"], relative=arguments["relative"])


@blueprint.get("/systeminfo/getcert")
@blueprint.strangers
@blueprint.response(200, content_type="application/x-x509-ca-cert")
@blueprint.alt_response(404, description="There is none of our own")
def get_certificate() -> Response:
    """The certificate that clients need to trust, if we made it ourselves."""
    certificate = Layout(_settings()).ca_certificate
    if not certificate.exists():
        raise NotFound("there is no certificate of our own")
    return send_file(certificate, mimetype="application/x-x509-ca-cert", as_attachment=True, download_name="ca.crt")


@root.get("/api/version")
def api_version() -> Response:
    return jsonify(version="v2.0")
