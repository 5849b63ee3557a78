"""Principals of every kind, with whatever roles, permissions and limits: for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from authsvc.rbac.authority import Authority, Credential
from authsvc.rbac.permissions import Permission
from authsvc.rbac.principal import EVERYWHERE, SYSTEM, Principal
from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE
from authsvc.rbac.roles import ALL_PERMISSIONS, PUBLIC_PERMISSIONS, Role
from authsvc.secrets.rules import limited

KNOWN = sorted(ALL_PERMISSIONS | PROJECT_CATALOGUE | SYSTEM_CATALOGUE)
PLACES = (SYSTEM, EVERYWHERE, 1, 2, 3)

_some = st.frozensets(st.sampled_from(KNOWN) | st.sampled_from(sorted(PUBLIC_PERMISSIONS)), max_size=40)
_permissions = st.dictionaries(st.sampled_from(PLACES), _some, max_size=3)
_roles = st.dictionaries(st.sampled_from([1, 2, 3]), st.frozensets(st.sampled_from(Role), max_size=2), max_size=3)
_patterns = st.dictionaries(st.sampled_from(["*", "frontend-*", "a", "front_end", "?", "deep/*"]), _some, max_size=2)
_bound = st.dictionaries(st.sampled_from([1, 2, 3]), _patterns, max_size=2)


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    """One of them; half are limited to less by the credential that they show."""
    kind: Any = draw(st.sampled_from(["user", "robot", "workload", "anonymous"]))
    authority = Authority(draw(st.sampled_from(Credential)), expires_at=draw(st.none() | st.floats(0, 1000)))
    bound = draw(_bound) if kind == "workload" else {}
    permissions = draw(_permissions) if kind == "robot" else {}
    if bound:
        permissions = {place: frozenset[Permission]().union(*patterns.values()) for place, patterns in bound.items()}
    who = Principal(
        kind=kind,
        id=1,
        name="x",
        is_sysadmin=kind == "user" and draw(st.integers(0, 3)) == 0,
        roles=draw(_roles) if kind == "user" else {},
        permissions=permissions,
        repositories=bound,
        authority=authority,
    )
    return limited(who, draw(_permissions)) if kind != "anonymous" and draw(st.booleans()) else who
