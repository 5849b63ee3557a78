"""Whose group is meant: of which directory or provider, where somebody names one without saying so, as Harbor's clients do."""

from __future__ import annotations

from authsvc.authn import sources
from authsvc.authn.sources import DEFAULT, Kind, Source
from authsvc.core.errors import BadRequest
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName, GroupType, dn_key

_BASES = ("ldap_group_base_dn", "ldap_base_dn")


def named(group_type: int, name: str, dn: str, source: str) -> GroupName:
    """A group by Harbor's fields. Without a `source` ("") it is the one that there is; of several the directory below whose base
    the DN lies, or `default`.

    Raises:
        BadRequest: an unknown type, no name, or it could be of several.
        NotFound: there is no such source.
    """
    group = groups.group_name(group_type, name, dn)
    kind: Kind = "ldap" if group.type is GroupType.LDAP else "oidc"
    if source:
        return groups.group_name(group_type, name, dn, sources.get(kind, source).name)
    known = sources.of_kind(kind, enabled_only=False)
    within = [one.name for one in known if _holds(one, group)]
    found = within or [one.name for one in known] or [DEFAULT]
    if len(found) > 1 and DEFAULT not in found:
        raise BadRequest(f"several could be meant: say as source which of {', '.join(sorted(found))}")
    return groups.group_name(group_type, name, dn, found[0] if len(found) == 1 else DEFAULT)


def _holds(source: Source, group: GroupName) -> bool:
    """True if a directory looks for groups or people there."""
    bases = (dn_key(str(source.settings.get(name) or "")) for name in _BASES)
    return any(group.key == base or group.key.endswith(f",{base}") for base in bases if base)
