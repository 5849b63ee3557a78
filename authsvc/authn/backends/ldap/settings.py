"""What a directory's settings mean: Harbor's items, and ours where Harbor has none. Parsed once, at the border. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from authsvc.authn.backends.ldap.filters import is_filter
from authsvc.configuration.items import Item, values_of
from authsvc.core.errors import BadRequest
from authsvc.core.trust import check_authorities

CONNECT_SECONDS, READ_SECONDS = 2, 3
# Harbor's scopes.
SCOPES = {0: "BASE", 1: "LEVEL", 2: "SUBTREE"}


def _scope(name: str, value: int) -> None:
    if value not in SCOPES:
        raise BadRequest(f"{name} must be 0 (base), 1 (one level) or 2 (subtree)")


ITEMS: dict[str, Item] = {
    "ldap_url": Item(str, ""),
    "ldap_base_dn": Item(str, ""),
    "ldap_filter": Item(str, ""),
    "ldap_uid": Item(str, "cn"),
    "ldap_scope": Item(int, 2, _scope),
    "ldap_search_dn": Item(str, ""),
    "ldap_search_password": Item(str, "", secret=True),
    "ldap_timeout": Item(int, 5),
    "ldap_verify_cert": Item(bool, True),
    "ldap_group_base_dn": Item(str, ""),
    "ldap_group_admin_dn": Item(str, ""),
    "ldap_group_attribute_name": Item(str, ""),
    "ldap_group_search_filter": Item(str, ""),
    "ldap_group_search_scope": Item(int, 2, _scope),
    "ldap_group_membership_attribute": Item(str, "memberof"),
    "ldap_group_attach_parallel": Item(bool, False),  # Harbor's; groups are asked for in few searches anyway
}
HARBORS = frozenset(ITEMS)  # the rest is ours
ITEMS |= {
    "ldap_ca": Item(str, ""),
    "ldap_starttls": Item(bool, False),
    "ldap_nested_groups": Item(bool, True),
    "ldap_mail": Item(str, ""),
    "ldap_realname": Item(str, ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """One directory. `uids`: the attributes that people log in by; the first one's value is the user name here.

    `ca`: certificates in PEM, besides the system's. `nested`: groups in groups count.
    """

    host: str
    port: int
    tls: bool
    starttls: bool
    verify: bool
    ca: str
    bind_dn: str
    bind_password: str = field(repr=False)
    base_dn: str
    filter: str
    uids: tuple[str, ...]
    scope: int
    timeout: int
    mail: str
    realname: str
    membership: str
    group_base_dn: str
    group_filter: str
    group_name: str
    group_scope: int
    admin_dn: str
    nested: bool

    @property
    def url(self) -> str:
        return f"{'ldaps' if self.tls else 'ldap'}://{self.host}:{self.port}{' with StartTLS' if self.starttls else ''}"


def parse(given: Mapping[str, Any]) -> LdapSettings:
    """Stored or posted settings as one frozen object.

    Raises:
        BadRequest: the text names the item.
    """
    value = values_of(ITEMS, given)
    tls, host, port = _address(value["ldap_url"])
    if value["ldap_starttls"] and tls:
        raise BadRequest("ldap_starttls goes with ldap://, not with ldaps://")
    uids = tuple(uid.strip() for uid in value["ldap_uid"].split(",") if uid.strip())
    if not uids or not value["ldap_base_dn"]:
        raise BadRequest("ldap_base_dn and ldap_uid cannot be empty")
    check_authorities("ldap_ca", value["ldap_ca"])
    return LdapSettings(
        host=host,
        port=port,
        tls=tls,
        starttls=value["ldap_starttls"],
        verify=value["ldap_verify_cert"],
        ca=value["ldap_ca"],
        bind_dn=value["ldap_search_dn"],
        bind_password=value["ldap_search_password"],
        base_dn=value["ldap_base_dn"],
        filter=_filter("ldap_filter", value["ldap_filter"]),
        uids=uids,
        scope=value["ldap_scope"],
        timeout=min(max(value["ldap_timeout"], 1), 60),
        mail=value["ldap_mail"] or "mail",
        realname=value["ldap_realname"] or "cn",
        membership=value["ldap_group_membership_attribute"] or "memberof",
        group_base_dn=value["ldap_group_base_dn"],
        group_filter=_filter("ldap_group_search_filter", value["ldap_group_search_filter"]),
        group_name=value["ldap_group_attribute_name"] or "cn",
        group_scope=value["ldap_group_search_scope"],
        admin_dn=value["ldap_group_admin_dn"],
        nested=value["ldap_nested_groups"],
    )


def _address(url: str) -> tuple[bool, str, int]:
    """TLS, host and port of `ldap://host[:port]` or `ldaps://…`; a bare host is ldap, as in Harbor, and 636 means ldaps."""
    try:
        parts = urlsplit(url if "://" in url else f"ldap://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, 0
    if not host or port == 0 or parts.scheme not in ("ldap", "ldaps"):
        raise BadRequest("ldap_url must look like ldaps://directory.example.com or ldap://directory.example.com:389")
    tls = parts.scheme == "ldaps" or port == 636
    return tls, host, port or (636 if tls else 389)


def _filter(name: str, text: str) -> str:
    """A filter in its parentheses; "" if there is none."""
    if text and not text.startswith("("):
        text = f"({text})"
    if text and not is_filter(text):
        raise BadRequest(f"{name} is no LDAP filter such as (&(objectClass=person)(department=7))")
    return text
