"""Logging in at a provider, and showing its ID token to our API."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from flask import current_app

from authsvc.authn import sources
from authsvc.authn.backends.oidc import claims as claims_of
from authsvc.authn.backends.oidc import settings as oidc_settings
from authsvc.authn.backends.oidc.provider import Issuer, Issuers, good_until, stated_at, unverified_issuer
from authsvc.authn.backends.oidc.settings import OidcSettings
from authsvc.authn.onboarding import Proof, known
from authsvc.core.db import reading
from authsvc.core.errors import BadRequest, InvalidCredentials, Unavailable
from authsvc.core.outgoing import Answered
from authsvc.core.own import own
from authsvc.core.sealing import seal, unseal
from authsvc.core.settings import Settings
from authsvc.core.text import own_path

KIND: Final = "oidc"
FLOW_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider by the name of its source."""

    name: str
    settings: OidcSettings

    @property
    def issuer(self) -> Issuer:
        ours: Settings = current_app.config["TIDEGATE"]
        return own(Issuers).of(self.settings.issuer, ours.outgoing_allow, verify=self.settings.verify, ca=self.settings.ca)


class Ended(Exception):
    """The provider takes a refresh token no more: the account has ended, or what we were allowed at the login."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a provider says of somebody: checked claims, and what to ask it with later; "" if it gave nothing for that."""

    claims: dict[str, Any]
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """One login on its way, kept by the browser in a sealed cookie."""

    provider: str
    state: str
    nonce: str
    verifier: str
    back_to: str
    started: float


def providers() -> list[Provider]:
    """The enabled providers. Needs a transaction."""
    return [Provider(name, settings) for name, settings in sources.usable(KIND, oidc_settings.parse)]


def provider(name: str) -> Provider:
    """The enabled provider of that name.

    Raises:
        BadRequest: there is none.
    """
    found = next((one for one in providers() if one.name == name), None)
    if found is None:
        raise BadRequest("logging in by that provider is not configured")
    return found


def redirect_uri() -> str:
    """Where providers send people back to; this is what to register there."""
    settings: Settings = current_app.config["TIDEGATE"]
    return f"{settings.external_url}/c/oidc/callback"


# -- the code flow -----------------------------------------------------------------------------------------------------


def start(name: str, back_to: str) -> tuple[str, str]:
    """Where to send the browser, and the sealed flow for its cookie.

    Raises:
        BadRequest, Unavailable
    """
    at = provider(name)
    flow = Flow(
        name, secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), own_path(back_to), time.time()
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).rstrip(b"=").decode()
    query = dict(at.settings.extra) | {
        "response_type": "code",
        "client_id": at.settings.client_id,
        "redirect_uri": redirect_uri(),
        "scope": at.settings.scope,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    endpoint = at.issuer.endpoint("authorization_endpoint")
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", seal(json.dumps(asdict(flow)))


def flow_in(cookie: str, state: str) -> Flow:
    """The flow that a browser comes back with.

    Raises:
        InvalidCredentials: none, another one's, or too old.
    """
    try:
        flow = Flow(**json.loads(unseal(cookie)))
    except Exception:  # of whatever kind: it is not ours
        raise InvalidCredentials("this login was not started here; start again") from None
    if not secrets.compare_digest(flow.state.encode(), state.encode()) or time.time() - flow.started > FLOW_SECONDS:
        raise InvalidCredentials("this login took too long, or was not started here; start again")
    return flow


def redeem(at: Provider, code: str, flow: Flow) -> Login:
    """The checked claims for an authorization code, with those of the userinfo endpoint for the same subject.

    Raises:
        InvalidCredentials, Unavailable
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri(), "code_verifier": flow.verifier}
    try:
        answer = _ask_for_tokens(at, form)
    except Answered as error:  # RFC 6749 5.2
        said = str(error.said.get("error", ""))[:100]
        if error.status == 401 or said == "invalid_client":
            raise InvalidCredentials(f"the provider {at.name} does not take our client id and secret") from None
        if error.status == 400:
            raise InvalidCredentials(f"the provider refuses this login ({said or 'no reason given'}); start again") from None
        raise
    if not isinstance(answer.get("id_token"), str):
        raise InvalidCredentials("the provider gave no ID token")
    claims = at.issuer.verify(answer["id_token"], at.settings.client_id)
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), flow.nonce.encode()):
        raise InvalidCredentials("the ID token belongs to another login")
    refresh_token = _text(answer, "refresh_token") if at.settings.offline else ""
    return Login(_with_userinfo(at, claims, answer.get("access_token")), refresh_token)


def refresh(at: Provider, subject: str, refresh_token: str) -> Login:
    """What the provider says now of who has that `sub`, and the refresh token to ask with next, which may be another one. The
    claims are `sub` alone if it says nothing of him.

    Raises:
        Ended, Unavailable
    """
    try:
        answer = _ask_for_tokens(at, {"grant_type": "refresh_token", "refresh_token": refresh_token})
    except Answered as error:
        if error.status == 400 and error.said.get("error") == "invalid_grant":  # RFC 6749 5.2
            raise Ended from None
        raise
    claims: dict[str, Any] = {"sub": subject}
    if id_token := _text(answer, "id_token"):
        try:
            claims = at.issuer.verify(id_token, at.settings.client_id)
        except InvalidCredentials as error:
            raise Unavailable(f"the provider {at.name} answers with an ID token that is not right: {error.message}") from None
    if claims["sub"] != subject:  # OpenID Connect Core 12.2
        raise Unavailable(f"the provider {at.name} answers for somebody else")
    return Login(_with_userinfo(at, claims, answer.get("access_token")), _text(answer, "refresh_token") or refresh_token)


def _ask_for_tokens(at: Provider, form: dict[str, str]) -> dict[str, Any]:
    auth, form = _as_client(at, form)
    answer = at.issuer.ask("POST", at.issuer.endpoint("token_endpoint"), data=form, auth=auth)
    return answer if isinstance(answer, dict) else {}


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _as_client(at: Provider, form: dict[str, str]) -> tuple[tuple[str, str] | None, dict[str, str]]:
    """Basic credentials (RFC 6749 2.3.1: form-encoded, then Basic), or all in the form, as the provider says that it takes them;
    a client without a secret only says who it is."""
    client_id, secret = at.settings.client_id, at.settings.client_secret
    known = at.issuer.discover().get("token_endpoint_auth_methods_supported")
    if not secret:
        return None, form | {"client_id": client_id}
    if isinstance(known, list) and "client_secret_basic" not in known and "client_secret_post" in known:
        return None, form | {"client_id": client_id, "client_secret": secret}
    return (quote_plus(client_id), quote_plus(secret)), form


def _with_userinfo(at: Provider, claims: dict[str, Any], access_token: Any) -> dict[str, Any]:
    if not isinstance(access_token, str) or not at.issuer.discover().get("userinfo_endpoint"):
        return claims
    more = at.issuer.ask("GET", at.issuer.endpoint("userinfo_endpoint"), headers={"Authorization": f"Bearer {access_token}"})
    same = isinstance(more, dict) and more.get("sub") == claims["sub"]  # OpenID Connect Core 5.3.4
    return {**more, **claims} if same else claims


def proof(at: Provider, claims: Mapping[str, Any], username: str = "", *, whole: bool = True) -> Proof:
    """The proof for checked claims; `whole` as there."""
    return claims_of.proof(at.name, at.settings, claims, username, whole=whole)


def logout_url(name: str) -> str:
    """Where to send the browser to log out at the provider, too; "" if that is not wanted or not possible: logging out here works
    in any case. Called without a transaction."""
    with reading():
        found = next((one for one in providers() if one.name == name), None)
    if found is None or not found.settings.logout:
        return ""
    try:
        endpoint = found.issuer.endpoint("end_session_endpoint")
    except Unavailable:
        return ""
    settings: Settings = current_app.config["TIDEGATE"]
    query = {"client_id": found.settings.client_id, "post_logout_redirect_uri": f"{settings.external_url}/"}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


# -- ID tokens on the API ------------------------------------------------------------------------------------------------


def authenticate_bearer(token: str) -> Proof | None:
    """An ID token of a provider of ours, given to our client; None if it is of no provider.

    Raises:
        InvalidCredentials: wrong, or of somebody who never logged in here: it may be an old one, of somebody who was deleted.
        Unavailable: the provider's keys cannot be had.
    """
    issuer = unverified_issuer(token)
    with reading():
        found = next((one for one in providers() if one.settings.issuer == issuer), None) if issuer else None
    if found is None:
        return None
    claims = found.issuer.verify(token, found.settings.client_id)
    shown = replace(proof(found, claims, whole=False), stated_at=stated_at(claims), expires_at=good_until(claims))
    with reading():
        if not known(shown):
            raise InvalidCredentials("log in at the pages first")
    return shown
