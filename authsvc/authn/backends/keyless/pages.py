"""Which jobs of a CI come in without a secret, for system administrators."""

from __future__ import annotations

from flask import Response, current_app, request

from authsvc.authn.backends.keyless import service
from authsvc.authn.backends.keyless.models import TrustRule
from authsvc.authn.backends.keyless.rules import ACTIONS
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.settings import Settings
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("keyless", __name__)
COLUMNS = {"name": TrustRule.name, "issuer": TrustRule.issuer, "created": TrustRule.creation_time}
# Common ones, offered; any other may be written.
ISSUERS = ("https://token.actions.githubusercontent.com", "https://gitlab.com")
_LONGEST = {"name": 255, "issuer": 512, "audience": 255, "project": 255, "repositories": 255, "claims": 8192}
_LONGEST_CLAIM = 255


@blueprint.get("/admin/trust")
def show_rules() -> Response:
    return _rules()


def _rules(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.all_rules()
    if asked.search:
        statement = statement.where(TrustRule.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement.order_by(None), asked, COLUMNS, [TrustRule.name])
    settings: Settings = current_app.config["TIDEGATE"]
    return page(
        "trust_rules.html",
        problem=problem,
        given=request.form,
        chosen=request.form.getlist("action") or ["pull", "push"],
        listing=shown,
        rules=service.described(shown.rows),
        issuers=ISSUERS,
        audience=settings.registry_host,
        actions=[*ACTIONS],
    )


@blueprint.post("/admin/trust")
def create_rule() -> Response:
    who = require_sysadmin(Door.IDENTITIES)
    problem = attempted(lambda: _create(who))
    return _rules(problem) if problem else go("/admin/trust")


def _create(who: Principal) -> None:
    given = fields(_LONGEST)
    if not given["name"]:
        raise BadRequest(_("Give the rule a name."))
    service.create(
        who.name,
        name=given["name"],
        issuer=given["issuer"],
        audience=given["audience"],
        claims=_claims(given["claims"]),
        project=given["project"],
        repositories=given["repositories"] or "*",
        actions=request.form.getlist("action"),
    )


def _claims(text: str) -> dict[str, str]:
    """One to a line, such as `repository=example/web`."""
    claims: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, pattern = (part.strip() for part in line.partition("="))
        if not (name and equals and pattern) or name in claims or max(len(name), len(pattern)) > _LONGEST_CLAIM:
            raise BadRequest(_("Each line names another claim and what it must be, such as repository=example/web."))
        claims[name] = pattern
    return claims


@blueprint.post("/admin/trust/<int:rule_id>")
def delete_rule(rule_id: int) -> Response:
    who = require_sysadmin(Door.IDENTITIES)
    problem = attempted(lambda: service.remove(who.name, rule_id))
    return _rules(problem) if problem else go("/admin/trust")
