"""From a provider's claims to a proof. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import structlog

from authsvc.authn.backends.oidc.settings import OidcSettings
from authsvc.authn.onboarding import Proof
from authsvc.core.errors import InvalidCredentials
from authsvc.core.text import is_storable
from authsvc.groups.rules import GroupName, GroupType
from authsvc.rbac.authority import Credential

_MOST_GROUPS = 10_000  # a token that is longer is none that somebody can show

log = structlog.get_logger(component="oidc")


def proof(source: str, settings: OidcSettings, claims: Mapping[str, Any], username: str = "", *, whole: bool = True) -> Proof:
    """Who the claims are about; `username` is what somebody chose at the first login, else the user claim says it. Not `whole`:
    an ID token alone, and providers may tell the groups at their userinfo endpoint only; then no groups says nothing.

    Raises:
        InvalidCredentials: there is no subject.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > 255 or not is_storable(subject):
        raise InvalidCredentials("the provider does not say who logged in (no sub)")
    groups = groups_in(settings, claims)
    if groups is None and whole and _claim(settings, claims) is None and not _are_elsewhere(claims):
        groups = ()
    names = {group.name for group in groups or ()}
    return Proof(
        kind="oidc",
        source=source,
        subject=f"{settings.issuer}#{subject}",
        username=username or suggested_name(settings, claims),
        email=_text(claims, "email") if claims.get("email_verified", True) not in (False, "false") else "",
        realname=_text(claims, "name"),
        groups=groups,
        is_sysadmin=bool(settings.admin_group) and settings.admin_group in names,
        credential=Credential.PROVIDER if whole else Credential.ID_TOKEN,
    )


def suggested_name(settings: OidcSettings, claims: Mapping[str, Any]) -> str:
    """A user name by the user claim, else by what people usually have."""
    for claim in (settings.user_claim, "preferred_username", "nickname", "name", "email"):
        if name := _text(claims, claim):
            return name
    return ""


def groups_in(settings: OidcSettings, claims: Mapping[str, Any]) -> tuple[GroupName, ...] | None:
    """The groups in the claim: a list, one text, or several parted by commas; a dot leads into an object, as in
    `realm_access.roles`. None if the claims do not speak of groups."""
    if not settings.groups_claim:
        return ()
    found = _claim(settings, claims)
    if found is None:
        return None
    if isinstance(found, str):
        found = _parted(found)
    if not isinstance(found, list) or len(found) > _MOST_GROUPS:
        log.warning("groups_not_read", claim=settings.groups_claim, reason="no list of texts, or very long")
        return None
    names = dict.fromkeys(name.strip() for name in found if isinstance(name, str) and name.strip())
    wanted = re.compile(settings.group_filter)
    return tuple(group for name in names if (group := GroupName(GroupType.OIDC, name)).fits and wanted.search(name))


def _claim(settings: OidcSettings, claims: Mapping[str, Any]) -> Any:
    found: Any = claims.get(settings.groups_claim)
    if found is None:
        found = claims
        for part in settings.groups_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _parted(text: str) -> list[Any]:
    """A list in one text: as JSON, or parted by commas."""
    if text.lstrip().startswith("["):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            return parsed
    return text.split(",")


def _are_elsewhere(claims: Mapping[str, Any]) -> bool:
    """True if the provider has groups to tell and does not tell them here: too many for a token (Entra's "overage", OpenID
    Connect Core 5.6.2), or in a form that we cannot read. Those that are known stay then."""
    elsewhere = isinstance(claims.get("_claim_names"), Mapping) or bool(claims.get("hasgroups"))
    if elsewhere:
        log.warning("groups_not_told", reason="more than the token holds; let the provider send those of this application only")
    return elsewhere


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip()[:255] if isinstance(value, str) and is_storable(value) else ""
