"""Harbor's OIDC operations, and several providers (beyond Harbor's API)."""

from typing import Any

from flask import current_app
from marshmallow import fields, validate

from authsvc.authn import configuration, sources
from authsvc.authn.backends.oidc import settings as oidc_settings
from authsvc.authn.backends.oidc.backend import KIND, redirect_uri
from authsvc.authn.backends.oidc.provider import Issuer
from authsvc.authn.onboarding import origin_of
from authsvc.core.api import Blueprint, Schema, StrictSchema
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, PreconditionFailed, Unavailable
from authsvc.core.repeat import outside
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_of, require_sysadmin
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import choose

blueprint = Blueprint("oidc", __name__, description="OpenID Connect providers")


class OidcPingSchema(Schema):
    url = fields.String(required=True, validate=validate.Length(1, 1024))
    verify_cert = fields.Boolean(load_default=True)


class ProviderSchema(StrictSchema):
    always = frozenset({"enabled", "position"})

    name = fields.String(dump_only=True)
    enabled = fields.Boolean(load_default=True)
    position = fields.Integer(load_default=0)
    redirect_uri = fields.String(dump_only=True)
    settings = fields.Dict(keys=fields.String(validate=validate.Length(max=64)), required=True)


class CliSecretSchema(Schema):
    secret = fields.String(required=True, validate=validate.Length(max=1024))


@blueprint.post("/system/oidc/ping")
@blueprint.arguments(OidcPingSchema)
@blueprint.response(200)
def ping_oidc(body: dict[str, Any]) -> None:
    """Try a provider's discovery document; 400 with the reason if it cannot be had."""
    require_sysadmin()
    parsed = oidc_settings.parse({"oidc_endpoint": body["url"], "oidc_client_id": "x"})
    try:
        Issuer(parsed.issuer, current_app.config["TIDEGATE"].outgoing_allow, verify=body["verify_cert"]).discover()
    except Unavailable as error:
        raise BadRequest(error.message) from error


@blueprint.get("/system/oidc/providers")
@blueprint.response(200, ProviderSchema(many=True))
def list_oidc_providers() -> Any:
    """All providers, without their secrets; `redirect_uri` is what to register there."""
    require_sysadmin()
    return [
        {
            "name": one.name,
            "enabled": one.enabled,
            "position": one.position,
            "settings": one.shown,
            "redirect_uri": redirect_uri(),
        }
        for one in sources.of_kind(KIND, enabled_only=False)
    ]


@blueprint.put("/system/oidc/providers/<string:name>")
@blueprint.arguments(ProviderSchema)
@blueprint.response(200)
def save_oidc_provider(body: dict[str, Any], name: str) -> None:
    """Make a provider or change one; settings that are not named stay."""
    actor = require_sysadmin(Door.IDENTITIES).name
    configuration.save(actor, KIND, name, body["settings"], enabled=body["enabled"], position=body["position"])
    db.session.commit()


@blueprint.delete("/system/oidc/providers/<string:name>")
@blueprint.response(200)
def delete_oidc_provider(name: str) -> None:
    """Delete a provider that nobody comes from any more."""
    sources.delete(require_sysadmin(Door.IDENTITIES).name, KIND, name)
    db.session.commit()


# -- CLI secrets: what people from a provider log in with where there is no browser -----------------------------------------


def _load(user_id: int) -> tuple[str, User]:
    who = require_of(user_id, Door.CREDENTIALS)
    user, origin = users.get(user_id), origin_of(user_id)
    if origin is None or origin.kind != KIND:
        raise PreconditionFailed("only users of an OIDC provider have a CLI secret")
    return who.name, user


@blueprint.put("/users/<int:user_id>/cli_secret")
@blueprint.arguments(CliSecretSchema)
@blueprint.response(200)
def set_cli_secret(body: dict[str, Any], user_id: int) -> None:
    """Set a CLI secret of one's own choice, in the place of the one before."""
    actor, user = _load(user_id)
    username = user.username
    chosen = outside("secret", lambda: choose(body["secret"], username))
    secrets.revoke_all("user", user.id, [Kind.CLI])
    users.set_password(actor, user, chosen, as_cli_secret=True)
    db.session.commit()


@blueprint.post("/users/<int:user_id>/cli_secret")
@blueprint.response(201, CliSecretSchema)
def make_cli_secret(user_id: int) -> Any:
    """A new CLI secret, shown this once, in the place of the one before (beyond Harbor's API)."""
    actor, user = _load(user_id)
    secrets.revoke_all("user", user.id, [Kind.CLI])
    users.forget_password(actor, user)
    text, _ = secrets.issue(Kind.CLI, user.id, user.epoch, name="CLI secret")
    db.session.commit()
    return {"secret": text}
