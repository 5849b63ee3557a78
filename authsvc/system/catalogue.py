"""What can be permitted, and what the caller is permitted, in Harbor's terms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from authsvc.projects import service as projects
from authsvc.rbac.permissions import Permission
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal
from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE
from authsvc.rbac.roles import ALL_PERMISSIONS, Role
from authsvc.rbac.system import SYSTEM_PERMISSIONS

_PROJECT_SCOPE = re.compile(r"/project/([0-9]{1,18})", re.ASCII)
Entry = dict[str, str]


def assignable(who: Principal) -> dict[str, list[Entry]]:
    """What the caller may give to robots; {} if nothing."""
    for_projects = {"project": _entries(PROJECT_CATALOGUE)}
    if who.is_sysadmin:
        return {"system": _entries(SYSTEM_CATALOGUE), **for_projects}
    return for_projects if any(Role.PROJECT_ADMIN in roles for roles in who.roles.values()) else {}


def held(who: Principal, scope: str, *, relative: bool) -> list[Entry]:
    """What the caller may do in a scope, `/system` or `/project/<id>`; resources are named from there if `relative`."""
    start = "" if relative else f"{scope}/"
    if scope == "/system":
        return _entries((one for one in SYSTEM_PERMISSIONS if can(who, one)), start)
    match = _PROJECT_SCOPE.fullmatch(scope)
    project = projects.find_ref(match[1]) if match else None
    if project is None:
        return []
    entries = _entries((one for one in ALL_PERMISSIONS if can(who, one, project)), start)
    itself = {f"{start}project": "." if relative else scope}  # Harbor's way to say: the project itself
    return [{"resource": itself.get(entry["resource"], entry["resource"]), "action": entry["action"]} for entry in entries]


def _entries(found: Iterable[Permission], start: str = "") -> list[Entry]:
    return [{"resource": f"{start}{resource}", "action": str(action)} for resource, action in sorted(found)]
