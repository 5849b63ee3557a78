"""Directories: which there are, and a login to one of them step by step."""

from __future__ import annotations

from flask import Response, request

from authsvc.authn import sources
from authsvc.authn.backends.ldap import backend
from authsvc.authn.backends.ldap.backend import KIND
from authsvc.authn.backends.ldap.trace import Step, trace
from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.text import is_storable
from authsvc.rbac.guard import require_sysadmin
from authsvc.ui.shell import Pages, page

blueprint = Pages("ldap", __name__)
_LONGEST = 1024


@blueprint.get("/admin/directories")
def show() -> Response:
    return _shown()


def _shown(steps: list[Step] | None = None, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    known = sources.of_kind(KIND, enabled_only=False)
    return page("directories.html", problem=problem, directories=known, steps=steps, given=request.form)


@blueprint.post("/admin/directories")
def try_login() -> Response:
    """As the API's trace, and `authsvc ldap test`: nothing comes of it but the answer."""
    require_sysadmin()
    given = {name: request.form.get(name, "") for name in ("source", "username", "password")}
    try:
        if any(len(value) > _LONGEST or not is_storable(value) for value in given.values()):
            raise BadRequest(f"name and password have at most {_LONGEST} characters")
        named = backend.one_directory(given["source"])
        let_go()  # the network comes next
        steps = trace(named, given["username"].strip(), given["password"])
    except DomainError as error:
        return _shown(problem=error)
    return _shown(steps)
