"""Scanners, for system administrators: where they are, whether they answer, and what they know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request

from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, DomainError, Unavailable
from authsvc.rbac.guard import require_sysadmin
from authsvc.scanners import service
from authsvc.scanners.adapter import AUTHS
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import Metadata
from authsvc.scanners.service import Wanted
from authsvc.ui import listing
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("scanners", __name__)
COLUMNS = {"name": Scanner.name, "url": Scanner.url, "health": Scanner.health}
_LONGEST = {"name": 255, "description": 1024, "url": 512, "auth": 32, "access_credential": 4096}
_SWITCHES = ("skip_cert_verify", "disabled")
THERE = "/admin/scanners"


@blueprint.get(THERE)
def show_scanners() -> Response:
    return _scanners()


def _scanners(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.every()
    if asked.search:
        statement = statement.where(Scanner.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Scanner.name])
    return page("scanners.html", problem=problem, given={**request.form}, listing=shown, auths=AUTHS)


@blueprint.post(THERE)
def create_scanner() -> Response:
    problem = attempted(_create)
    return _scanners(problem) if problem else go(THERE)


def _create() -> None:
    who = require_sysadmin()
    wanted = service.check(_given())
    service.create(who.name, wanted, _asked(wanted))


def _given() -> dict[str, Any]:
    """What the form says, as the API's bodies do."""
    return {**fields(_LONGEST)} | {name: request.form.get(name) == "true" for name in _SWITCHES}


def _asked(wanted: Wanted) -> Metadata:
    let_go()
    try:
        return service.ask(wanted.endpoint)
    except Unavailable as error:
        raise BadRequest(error.message) from None


@blueprint.get(f"{THERE}/<uuid>")
def show_scanner(uuid: str) -> Response:
    return _scanner(uuid)


def _scanner(uuid: str, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    scanner = service.get(uuid)
    shown = [name for name in (*_LONGEST, *_SWITCHES) if name != "access_credential"]
    given: Mapping[str, Any] = request.form or {name: getattr(scanner, name) for name in shown}
    return page("scanner.html", problem=problem, scanner=scanner, given=given, auths=AUTHS)


@blueprint.post(f"{THERE}/<uuid>")
def change_scanner(uuid: str) -> Response:
    """Other fields, the default one, or no more of it; a credential that is not given stays."""
    actions: dict[str, Callable[[str], None]] = {"save": _save, "default": _make_default, "delete": _delete}
    problem = attempted(lambda: actions.get(request.form.get("action", ""), _unknown)(uuid))
    return _scanner(uuid, problem) if problem else go(THERE)


def _save(uuid: str) -> None:
    who = require_sysadmin()
    wanted = service.check(_given(), service.get(uuid))
    said = None if wanted.fields["disabled"] else _asked(wanted)
    service.change(who.name, service.get(uuid), wanted, said)


def _make_default(uuid: str) -> None:
    who = require_sysadmin()
    service.make_default(who.name, service.get(uuid))


def _delete(uuid: str) -> None:
    who = require_sysadmin()
    service.delete_scanner(who.name, service.get(uuid))


def _unknown(_uuid: str) -> None:
    require_sysadmin()
    raise BadRequest("action is one of save, default, delete")
