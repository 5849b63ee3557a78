"""Harbor's configuration items about logging in, as a view on the identity sources named "default".

Harbor has one way to log in at a time (`auth_mode`); we have all at once, and local users always. `auth_mode` shows the
first of oidc and ldap whose default source is enabled, and setting it enables that source and disables the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authsvc.authn import sources
from authsvc.authn.sources import DEFAULT, SECRETS, Kind
from authsvc.configuration.items import Item
from authsvc.core.errors import BadRequest

_MODES: dict[str, Kind] = {"oidc_auth": "oidc", "ldap_auth": "ldap"}

ITEMS: dict[str, Item] = {
    "ldap_url": Item(str, ""),
    "ldap_base_dn": Item(str, ""),
    "ldap_filter": Item(str, ""),
    "ldap_uid": Item(str, "cn"),
    "ldap_scope": Item(int, 2),
    "ldap_search_dn": Item(str, ""),
    "ldap_search_password": Item(str, ""),
    "ldap_timeout": Item(int, 5),
    "ldap_verify_cert": Item(bool, True),
    "ldap_group_base_dn": Item(str, ""),
    "ldap_group_admin_dn": Item(str, ""),
    "ldap_group_attribute_name": Item(str, ""),
    "ldap_group_search_filter": Item(str, ""),
    "ldap_group_search_scope": Item(int, 2),
    "ldap_group_membership_attribute": Item(str, "memberof"),
    "ldap_group_attach_parallel": Item(bool, False),
    "oidc_name": Item(str, ""),
    "oidc_endpoint": Item(str, ""),
    "oidc_client_id": Item(str, ""),
    "oidc_client_secret": Item(str, ""),
    "oidc_groups_claim": Item(str, ""),
    "oidc_admin_group": Item(str, ""),
    "oidc_group_filter": Item(str, ""),
    "oidc_scope": Item(str, ""),
    "oidc_user_claim": Item(str, ""),
    "oidc_verify_cert": Item(bool, True),
    "oidc_auto_onboard": Item(bool, False),
    "oidc_extra_redirect_parms": Item(str, "{}"),
    "oidc_logout": Item(bool, False),
}


def values() -> dict[str, Any]:
    """`auth_mode` and every item with its present value; secrets are left out, always."""
    found = {"auth_mode": auth_mode()}
    stored = {source.kind: source.settings for kind in _MODES.values() if (source := _default(kind)) is not None}
    for name, item in ITEMS.items():
        if name not in SECRETS:
            found[name] = stored.get(_kind(name), {}).get(name, item.default)
    return found


def auth_mode() -> str:
    """Harbor's word for how people log in here."""
    for mode, kind in _MODES.items():
        source = _default(kind)
        if source is not None and source.enabled:
            return mode
    return "db_auth"


def change(actor: str, changes: Mapping[str, Any]) -> None:
    """Set some items of the default sources, and which of them is enabled.

    Raises:
        BadRequest: a value cannot be used, or a mode that we do not have.
    """
    mode = changes.get("auth_mode")
    if mode is not None and mode not in ("db_auth", *_MODES):
        raise BadRequest(f"auth_mode must be one of db_auth, {', '.join(_MODES)}")
    for kind in _MODES.values():
        parsed = {
            name: ITEMS[name].parse(name, given) for name, given in changes.items() if name in ITEMS and _kind(name) == kind
        }
        present = _default(kind)
        enabled = _MODES.get(mode) == kind if mode is not None else bool(present and present.enabled)
        if parsed or (present is not None and present.enabled != enabled) or (enabled and present is None):
            sources.save(actor, kind, DEFAULT, parsed, enabled=enabled)


def _kind(name: str) -> Kind:
    return "ldap" if name.startswith("ldap") else "oidc"


def _default(kind: Kind) -> sources.Source | None:
    return next((source for source in sources.of_kind(kind, enabled_only=False) if source.name == DEFAULT), None)
