"""What a directory's settings mean: Harbor's items, and ours where Harbor has none. Parsed once, at the border. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from authsvc.core.errors import BadRequest

CONNECT_SECONDS, READ_SECONDS = 2, 3
# Harbor's scopes.
SCOPES = {0: "BASE", 1: "LEVEL", 2: "SUBTREE"}


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
    timeout: float
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
    text = _Reader(given)
    tls, host, port = _address(text("ldap_url"))
    starttls = bool(given.get("ldap_starttls", False))
    if starttls and tls:
        raise BadRequest("ldap_starttls goes with ldap://, not with ldaps://")
    uids = tuple(uid.strip() for uid in text("ldap_uid", "cn").split(",") if uid.strip())
    if not uids or not text("ldap_base_dn"):
        raise BadRequest("ldap_base_dn and ldap_uid cannot be empty")
    return LdapSettings(
        host=host,
        port=port,
        tls=tls,
        starttls=starttls,
        verify=bool(given.get("ldap_verify_cert", True)),
        ca=_certificates(text("ldap_ca")),
        bind_dn=text("ldap_search_dn"),
        bind_password=text("ldap_search_password"),
        base_dn=text("ldap_base_dn"),
        filter=_filter("ldap_filter", text("ldap_filter")),
        uids=uids,
        scope=_scope("ldap_scope", given.get("ldap_scope", 2)),
        timeout=min(max(float(given.get("ldap_timeout") or 5), 1.0), 60.0),
        mail=text("ldap_mail", "mail"),
        realname=text("ldap_realname", "cn"),
        membership=text("ldap_group_membership_attribute", "memberof"),
        group_base_dn=text("ldap_group_base_dn"),
        group_filter=_filter("ldap_group_search_filter", text("ldap_group_search_filter")),
        group_name=text("ldap_group_attribute_name", "cn"),
        group_scope=_scope("ldap_group_search_scope", given.get("ldap_group_search_scope", 2)),
        admin_dn=text("ldap_group_admin_dn"),
        nested=bool(given.get("ldap_nested_groups", True)),
    )


class _Reader:
    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __call__(self, name: str, default: str = "") -> str:
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{name} must be a text")
        return (value or "").strip() or default


def _address(url: str) -> tuple[bool, str, int]:
    """TLS, host and port of `ldap://host[:port]` or `ldaps://…`; a bare host is ldap, as in Harbor, and 636 means ldaps."""
    parts = urlsplit(url if "://" in url else f"ldap://{url}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or port == 0:
        raise BadRequest("ldap_url must look like ldaps://directory.example.com or ldap://directory.example.com:389")
    tls = parts.scheme == "ldaps" or port == 636
    return tls, parts.hostname, port or (636 if tls else 389)


def _certificates(pem: str) -> str:
    try:
        ssl.create_default_context(cadata=pem or None)
    except (ssl.SSLError, ValueError):
        raise BadRequest("ldap_ca must be certificates in PEM") from None
    return pem


def _scope(name: str, value: Any) -> int:
    if value not in SCOPES:
        raise BadRequest(f"{name} must be 0 (base), 1 (one level) or 2 (subtree)")
    return int(value)


def _filter(name: str, text: str) -> str:
    """A filter in its parentheses; "" if there is none."""
    if text and not text.startswith("("):
        text = f"({text})"
    if text.count("(") != text.count(")") or "\0" in text:
        raise BadRequest(f"{name} is no LDAP filter: its parentheses do not match")
    return text
