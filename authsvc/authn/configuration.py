"""Harbor's configuration items about logging in, as a view on the identity sources named "default".

Harbor has one way to log in at a time (`auth_mode`); we have all at once, and local users always. `auth_mode` shows the
first of oidc and ldap whose default source is enabled, and setting it enables that source and disables the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authsvc.audit import service as audit
from authsvc.authn import sources
from authsvc.authn.backends.ldap import settings as ldap_settings
from authsvc.authn.backends.oidc import settings as oidc_settings
from authsvc.authn.sources import DEFAULT, SECRETS, Kind
from authsvc.configuration.items import Item, typed
from authsvc.core.errors import BadRequest
from authsvc.users import names
from authsvc.users import service as users

_MODES: dict[str, Kind] = {"oidc_auth": "oidc", "ldap_auth": "ldap"}
_BACKENDS = {"ldap": ldap_settings, "oidc": oidc_settings}

ITEMS: dict[str, Item] = {
    name: item for backend in _BACKENDS.values() for name, item in backend.ITEMS.items() if name in backend.HARBORS
}


_LETTING_IN = frozenset({"auth_mode", "self_registration", "self_registration_approval"})


def values() -> dict[str, Any]:
    """`auth_mode` and every item with its present value; secrets are left out, always."""
    found = {"auth_mode": auth_mode()}
    stored = {source.kind: source.settings for kind in _MODES.values() if (source := _default(kind)) is not None}
    for name, item in ITEMS.items():
        if name not in SECRETS:
            found[name] = stored.get(_kind(name), {}).get(name, item.default)
    return found


def says_who_is_let_in(changes: Mapping[str, Any]) -> bool:
    """True if among them is an item by which people are let in, or made system administrators."""
    return any(name in ITEMS or name in _LETTING_IN for name in changes)


def auth_mode() -> str:
    """Harbor's word for how people log in here."""
    for mode, kind in _MODES.items():
        source = _default(kind)
        if source is not None and source.enabled:
            return mode
    return "db_auth"


def configure(actor: str, items: Mapping[str, Any]) -> None:
    """Set items of the configuration, those of the default sources among them, and note it: whoever lets somebody configure
    calls this.

    Raises:
        BadRequest: as `audit.configure` and `change`.
    """
    audit.configure(actor, items)
    change(actor, items)


def change(actor: str, changes: Mapping[str, Any]) -> None:
    """Set some items of the default sources, and which of them is enabled.

    Raises:
        BadRequest: a value cannot be used, a mode that we do not have, too little for the mode to work, or a prefix for
            robots that would make robots' names of users' ones.
    """
    mode = changes.get("auth_mode")
    if mode is not None and mode not in ("db_auth", *_MODES):
        raise BadRequest(f"auth_mode must be one of db_auth, {', '.join(_MODES)}")
    if isinstance(prefix := changes.get("robot_name_prefix"), str):
        users.require_no_name_like(names.robot_alias(prefix))
    for kind in _MODES.values():
        given = {name: value for name, value in changes.items() if name in ITEMS and _kind(name) == kind}
        present = _default(kind)
        enabled = _MODES.get(mode) == kind if mode is not None else bool(present and present.enabled)
        if given or (present is not None and present.enabled != enabled) or (enabled and present is None):
            save(actor, kind, DEFAULT, given, enabled=enabled)


def save(actor: str, kind: Kind, name: str, given: Mapping[str, Any], *, enabled: bool, position: int | None = None) -> None:
    """Make or change a directory or provider, Harbor's or not; it is checked as a whole once people may come from it.

    Raises:
        BadRequest: a value cannot be used, there is no such item, or something is missing.
    """
    backend = _BACKENDS[kind]
    saved = sources.save(actor, kind, name, typed(backend.ITEMS, given), enabled=enabled, position=position)
    if enabled:
        backend.parse(saved.settings)


def items_of(kind: Kind) -> Mapping[str, Item]:
    """What can be set of a directory or provider."""
    items: Mapping[str, Item] = _BACKENDS[kind].ITEMS
    return items


def _kind(name: str) -> Kind:
    return "ldap" if name.startswith("ldap") else "oidc"


def _default(kind: Kind) -> sources.Source | None:
    return next((source for source in sources.of_kind(kind, enabled_only=False) if source.name == DEFAULT), None)
